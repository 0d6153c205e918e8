"""Three regions in buckets of a real SeaweedFS, each behind a faulty proxy of its own."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from pytest_django import Settings

from accounts.models import Account
from backup_service.embedded.stores import Store
from storage.models import Attempt, Region, Replica
from storage.stores.registry import store_of, sync_rows
from storage.stores.s3.store import S3Store
from tests.support.storage.buckets import INSTANCE
from tests.support.stores import regions as places
from tests.support.stores import seaweedfs
from tests.support.stores.proxy import FaultyProxy
from tests.unit.storage.conftest import Caller, person

__all__ = ["account", "buckets", "fronts", "regions", "ways"]
ALIASES = "abc"


@pytest.fixture(scope="module")
def ways(seaweed: Store) -> Iterator[dict[str, FaultyProxy]]:
    with ExitStack() as stack:
        yield {alias: stack.enter_context(FaultyProxy(seaweed.port)) for alias in ALIASES}


@pytest.fixture(scope="module")
def buckets(seaweed: Store, ways: dict[str, FaultyProxy]) -> dict[str, str]:
    """The environment of the regions, which clients reach by the same ways, prepared once."""
    joined: dict[str, str] = {}
    located = []
    for alias, way in ways.items():
        variables = places.environment(seaweed, alias, port=way.port, public=way.port)
        bucket = places.bucket(variables, alias)
        S3Store(seaweedfs.region(seaweed, bucket, alias=alias)).prepare(INSTANCE)
        located.append(variables["NIGHTSAFE_REGIONS"])
        joined |= variables
    return joined | {"NIGHTSAFE_REGIONS": ",".join(located)}


@pytest.fixture
def regions(
    db: None, settings: Settings, request: pytest.FixtureRequest, buckets: dict[str, str]
) -> list[Region]:
    # Impatient only where something hangs: a busy computer is slow, too.
    patience = "2" if "hang" in request.node.name else "20"
    timeouts = {f"NIGHTSAFE_REGION_{alias.upper()}_TIMEOUT": patience for alias in ALIASES}
    places.apply(settings, buckets | timeouts)
    sync_rows()
    Region.objects.update(instance=INSTANCE)
    return list(Region.objects.order_by("priority"))


@pytest.fixture
def account(regions: list[Region]) -> Account:
    """Somebody whose plan promises three replicas."""
    return person("alice@example.org", plan="plus")


@pytest.fixture
def fronts(ways: dict[str, FaultyProxy]) -> Iterator[dict[str, FaultyProxy]]:
    """What stands before each region; sound again after the test."""
    yield ways
    for way in ways.values():
        way.mend()


def everywhere(who: Caller, contents: list[bytes], aliases: str = ALIASES) -> bool:
    """Whether the bytes of each object lie, proved, in exactly these regions, and are given out."""
    for content in contents:
        obj = who.stored_object(content)
        copies = Replica.objects.filter(object=obj).verified().select_related("region", "attempt")
        if "".join(sorted(replica.region.alias for replica in copies)) != aliases:
            return False
        for replica in copies:
            assert replica.attempt is not None
            replica.attempt.vault = who.vault
            with store_of(replica.region).open(replica.attempt.key) as reader:
                assert b"".join(reader.chunks()) == content
        assert who.fetch(f"data/{obj.name}") == content
    return True


def strays(vault: str) -> list[str]:
    """Return what lies in any region that no replica points to. Every region must be sound."""
    known = set(Attempt.objects.exclude(replica=None).values_list("pk", flat=True))
    return [
        f"{region.alias}: {key}"
        for region in Region.objects.all()
        for key, _ in store_of(region).list_keys(vault)
        if key.attempt not in known
    ]
