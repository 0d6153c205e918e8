"""A gateway whose regions are buckets of a real SeaweedFS that clients reach themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backup_service.embedded.stores import Store
from tests.contracts.conftest import seaweed
from tests.support.gateway import Gateway, start_gateway
from tests.support.stores import regions
from tests.support.stores.proxy import Fault, FaultyProxy

__all__ = ["front", "gateway", "open_gateway", "seaweed", "stored"]


@contextmanager
def open_gateway(store: Store, folder: Path, *, public: int = 0) -> Iterator[Gateway]:
    """Two regions in one store, which clients reach on `public` if it is given.

    No address that opens something may have come into the log.
    """
    running = start_gateway(folder, **regions.environment(store, "a", "b", public=public))
    try:
        yield running
    finally:
        running.stop()
    assert "X-Amz-Signature" not in (folder / "gateway.log").read_text()


@pytest.fixture(scope="module")
def front(seaweed: Store) -> Iterator[FaultyProxy]:
    """Where clients reach the store."""
    with FaultyProxy(seaweed.port) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(
    seaweed: Store, front: FaultyProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """One for the tests of a file; its clients go to the store through `front`."""
    folder = tmp_path_factory.mktemp("gateway")
    with open_gateway(seaweed, folder, public=front.port) as running:
        yield running


@pytest.fixture
def stored(front: FaultyProxy) -> list[str]:
    """Every request of clients to the store in this test: `PUT data`."""
    seen: list[str] = []

    def judge(method: str, path: str) -> str:
        seen.append(f"{method} {path.split('/')[3]}")
        return ""

    front.fault = Fault(judge)
    return seen
