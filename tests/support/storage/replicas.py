"""Objects with their replicas, for tests."""

import pytest

from storage.models import Replica, StoredObject
from storage.replication.replicator import replicate_due
from tests.unit.storage.conftest import Caller, some


def states(obj: StoredObject) -> dict[str, str]:
    """What state its replica in each region is in."""
    return dict(obj.replicas.values_list("region__alias", "state"))


def replica_in(obj: StoredObject, alias: str) -> Replica:
    return obj.replicas.select_related("region", "attempt__vault").get(region__alias=alias)


@pytest.fixture
def obj(backup: Caller) -> StoredObject:
    """An object with two verified replicas."""
    content = some()
    backup.put(content)
    replicate_due()
    return backup.stored_object(content)


@pytest.fixture
def address(obj: StoredObject) -> str:
    return f"data/{obj.name}"
