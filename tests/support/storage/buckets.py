"""Two regions in buckets of a real SeaweedFS, for all tests here that want them."""

from collections.abc import Iterator

import pytest

from backup_service.embedded.stores import Store
from storage.stores.s3.store import S3Store
from tests.contracts.conftest import seaweed
from tests.support.stores import regions as places
from tests.support.stores import seaweedfs
from tests.support.stores.proxy import FaultyProxy

__all__ = ["buckets", "front", "proxy", "seaweed"]
INSTANCE = "instance-of-tests"


@pytest.fixture(scope="session")
def front(seaweed: Store) -> Iterator[FaultyProxy]:
    with FaultyProxy(seaweed.port) as made:
        yield made


@pytest.fixture(scope="session")
def buckets(seaweed: Store, front: FaultyProxy) -> dict[str, str]:
    """The environment of two regions in buckets that clients may send to, prepared once."""
    variables = places.environment(seaweed, "a", "b", port=front.port)
    for alias in "ab":
        store = S3Store(seaweedfs.region(seaweed, places.bucket(variables, alias), alias=alias))
        store.prepare(INSTANCE)
    return variables


@pytest.fixture
def proxy(front: FaultyProxy) -> Iterator[FaultyProxy]:
    """What stands between the service and its store; clients go to the store itself."""
    yield front
    front.does("", times=0)
