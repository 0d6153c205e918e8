"""A drive fails inside a region: the region goes on, is repaired, and bears the next failure."""

import hashlib
import os
from collections.abc import Iterator

import pytest

from storage.object_names import StoreKey
from storage.stores.s3.store import S3Store
from tests.contracts.test_regions import get, key, put
from tests.support.stores import cluster, seaweedfs

pytestmark = [pytest.mark.interop, pytest.mark.any_restic]
COUNT = 30


@pytest.fixture
def three() -> Iterator[cluster.Cluster]:
    with cluster.running() as running:
        yield running


def deposit(store: S3Store, count: int) -> dict[StoreKey, str]:
    held = {}
    for size in range(count):
        content = os.urandom(1 + size * 40_000)
        put(store, key(content), content)
        held[key(content)] = hashlib.sha256(content).hexdigest()
    return held


def require_all(store: S3Store, held: dict[StoreKey, str]) -> None:
    assert set(dict(store.list_keys())) == set(held)
    for where, digest in held.items():
        assert hashlib.sha256(get(store, where)).hexdigest() == digest


def test_two_drives_of_three_die_one_after_the_other(three: cluster.Cluster) -> None:
    store = S3Store(seaweedfs.region(three.store, "vault"))
    store.prepare("instance-1")
    held = deposit(store, COUNT)
    require_all(store, held)
    before = three.drives_with_data()
    assert sum(before) >= 2 * sum(size for _, size in store.list_keys())
    assert sum(size > 100_000 for size in before) >= 2, before

    first = before.index(max(before))
    three.destroy(first)
    require_all(store, held)
    held |= deposit(store, 3)  # and it goes on taking

    three.repair()
    after = three.drives_with_data()
    assert after[first] == -1
    three.destroy(after.index(max(after)))
    require_all(store, held)
