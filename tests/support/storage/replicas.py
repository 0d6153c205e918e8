"""Objects with their copies, for tests."""

import pytest

from storage.models import Replica, StoredObject
from storage.replication.replicator import replicate_due
from tests.unit.storage.conftest import some


def states(held: StoredObject) -> dict[str, str]:
    """What state its copy in each region is in."""
    return dict(held.replicas.values_list("region__alias", "state"))


def copy_in(held: StoredObject, alias: str) -> Replica:
    return held.replicas.select_related("region", "attempt__vault").get(region__alias=alias)


@pytest.fixture
def held(backup) -> StoredObject:
    """An object with two proved copies."""
    content = some()
    backup.put(content)
    replicate_due()
    return backup.held(content)


@pytest.fixture
def address(held) -> str:
    return f"data/{held.name}"
