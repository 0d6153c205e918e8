"""What an S3 region makes of a store, or a network, that fails, lies, hangs or answers wrongly."""

import dataclasses
import os
from collections.abc import Callable, Iterator

import pytest

from backup_service.embedded.stores import Store
from storage.stores.base import (
    KeyExistsError,
    NoSuchKeyError,
    OtherBytesError,
    RegionFullError,
    RegionUnavailableError,
    UnreadableError,
)
from storage.stores.s3.marker import NAME as MARKER
from storage.stores.s3.store import S3Store
from tests.contracts.conftest import drop, new_bucket
from tests.contracts.test_regions import get, get_into, key, put
from tests.support.stores import seaweedfs
from tests.support.stores.proxy import FaultyProxy

CONTENT = os.urandom(1_000_000)
WHERE = key(CONTENT)


def new_region(seaweed: Store) -> S3Store:
    made = S3Store(seaweedfs.region(seaweed, new_bucket()))
    made.prepare("instance-1")
    return made


@pytest.fixture(scope="module")
def shared(seaweed: Store) -> Iterator[S3Store]:
    made = new_region(seaweed)
    yield made
    drop(made)


@pytest.fixture
def sound(shared: S3Store) -> Iterator[S3Store]:
    """The region without a proxy, to see what is really there."""
    yield shared
    for where, _size in list(shared.list_keys()):
        shared.delete(where)


@pytest.fixture
def own(seaweed: Store) -> Iterator[S3Store]:
    """A region for tests that break its bucket."""
    made = new_region(seaweed)
    yield made
    drop(made)


@pytest.fixture
def proxy(seaweed: Store) -> Iterator[FaultyProxy]:
    with FaultyProxy(seaweed.port) as running:
        yield running


@pytest.fixture
def behind(seaweed: Store, sound: S3Store, proxy: FaultyProxy) -> S3Store:
    """The same region through the proxy."""
    region = seaweedfs.region(seaweed, sound.region.bucket, port=proxy.port)
    return S3Store(region, "instance-1")


def test_a_sound_proxy_changes_nothing(behind: S3Store) -> None:
    put(behind, WHERE, CONTENT)
    assert get(behind, WHERE) == CONTENT
    assert dict(behind.list_keys()) == {WHERE: len(CONTENT)}
    behind.delete(WHERE)


@pytest.mark.parametrize(
    "fault", ["refuse-503", "refuse-500", "refuse-403", "owned", "reset", "hang"]
)
def test_an_upload_that_the_store_refuses_or_breaks(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy, fault: str
) -> None:
    behind.check()
    proxy.does(fault, to="PUT")
    with pytest.raises(RegionUnavailableError):
        put(behind, WHERE, CONTENT)
    assert len(proxy.fault.seen) == 1  # what can be sent only once is not tried again
    assert list(sound.list_keys()) == []
    proxy.does("")
    put(behind, WHERE, CONTENT)
    assert get(sound, WHERE) == CONTENT


def test_a_store_that_says_done_and_stored_nothing(behind: S3Store, proxy: FaultyProxy) -> None:
    proxy.does("lie", to="PUT")
    with pytest.raises(RegionUnavailableError, match="said that it stored"):
        put(behind, WHERE, CONTENT)


def test_a_store_that_says_done_and_has_something_else(behind: S3Store, proxy: FaultyProxy) -> None:
    proxy.does("swap", instead=b"old", to="HEAD GET")
    with pytest.raises(RegionUnavailableError, match="said that it stored"):
        put(behind, WHERE, CONTENT)


def test_a_store_that_keeps_no_checksums_is_read_back(behind: S3Store, proxy: FaultyProxy) -> None:
    proxy.does("bare", to="HEAD GET PUT")
    put(behind, WHERE, CONTENT)
    # A quick look, a thorough one, and then the bytes themselves.
    assert [line.split()[0] for line in proxy.fault.seen] == ["PUT", "HEAD", "HEAD", "GET"]


def test_an_answer_that_is_lost_after_the_bytes_were_kept(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy
) -> None:
    proxy.does("lost", to="PUT")
    with pytest.raises(RegionUnavailableError):
        put(behind, WHERE, CONTENT)
    sound.delete(WHERE)  # as the sweep of given-up attempts does
    assert list(sound.list_keys()) == []


def test_a_full_store(behind: S3Store, proxy: FaultyProxy) -> None:
    proxy.does("refuse-507", to="PUT")
    with pytest.raises(RegionFullError):
        put(behind, WHERE, CONTENT)


@pytest.mark.parametrize("read", [get, get_into])
@pytest.mark.parametrize("fault", ["reset", "refuse-503", "cut", "lost"])
def test_a_download_that_stumbles_goes_on(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy, fault: str, read: Callable[..., bytes]
) -> None:
    put(sound, WHERE, CONTENT)
    proxy.does(fault, to="GET", times=1)
    assert read(behind, WHERE) == CONTENT
    assert proxy.fault.seen
    proxy.does(fault, to="GET", times=1)
    assert read(behind, WHERE, 500, 900_000) == CONTENT[500:900_500]


@pytest.mark.parametrize("fault", ["reset", "refuse-503", "hang"])
def test_a_store_that_gives_nothing_is_unavailable_and_nothing_is_called_damaged(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy, fault: str
) -> None:
    put(sound, WHERE, CONTENT)
    proxy.does(fault, to="GET")
    with pytest.raises(RegionUnavailableError):
        get(behind, WHERE)


@pytest.mark.parametrize("read", [get, get_into])
@pytest.mark.parametrize("fault", ["refuse-500", "cut"])
def test_one_object_that_cannot_be_read_while_the_store_is_well(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy, fault: str, read: Callable[..., bytes]
) -> None:
    put(sound, WHERE, CONTENT)
    proxy.does(fault, to="GET")
    with pytest.raises(UnreadableError):
        # Each time half of the rest arrives; so it ends at a byte that never comes.
        read(behind, WHERE, len(CONTENT) - 1, 1)


def test_old_bytes_are_found_out(behind: S3Store, sound: S3Store, proxy: FaultyProxy) -> None:
    put(sound, WHERE, CONTENT)
    proxy.does("swap", instead=CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(OtherBytesError):
        behind.confirm(WHERE, size=len(CONTENT), sha256=WHERE.object.name)
    assert get(behind, WHERE) != CONTENT  # which callers, who hash, see for themselves


def test_a_deletion_that_did_not_happen(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy
) -> None:
    put(sound, WHERE, CONTENT)
    proxy.does("lie", to="DELETE")
    with pytest.raises(RegionUnavailableError, match="did not delete"):
        behind.delete(WHERE)
    proxy.does("reset", to="DELETE", times=1)
    behind.delete(WHERE)  # may be tried again
    with pytest.raises(NoSuchKeyError):
        sound.size(WHERE)


def test_another_or_an_emptied_bucket_is_not_the_region(own: S3Store, seaweed: Store) -> None:
    put(own, WHERE, CONTENT)
    other = S3Store(seaweedfs.region(seaweed, new_bucket()), "instance-1")
    for use in (
        other.check,
        lambda: other.open(WHERE),
        lambda: other.size(WHERE),
        lambda: put(other, WHERE, CONTENT),
        lambda: other.delete(WHERE),
        lambda: list(other.list_keys()),
    ):
        with pytest.raises(RegionUnavailableError, match="not this region's"):
            use()
    own.general.once.delete_object(Bucket=own.region.bucket, Key=MARKER)
    with pytest.raises(RegionUnavailableError):
        own.open(key(b"never stored"))


def test_the_bucket_of_another_region_is_refused(own: S3Store, seaweed: Store) -> None:
    taken = S3Store(seaweedfs.region(seaweed, own.region.bucket, alias="y"))
    with pytest.raises(RegionUnavailableError, match="not empty"):
        taken.prepare("instance-9")
    own.prepare("instance-2")  # an interrupted preparation is taken up
    earlier = S3Store(own.region, "instance-1")
    with pytest.raises(RegionUnavailableError, match="earlier one"):
        earlier.check()


def test_wrong_keys_and_nobody_there(sound: S3Store, seaweed: Store) -> None:
    thief = S3Store(dataclasses.replace(sound.region, secret_key="wrong" * 5), "instance-1")
    with pytest.raises(RegionUnavailableError, match="refuses its keys") as refused:
        thief.check()
    assert "wrong" not in str(refused.value)
    gone = S3Store(dataclasses.replace(sound.region, endpoint="http://127.0.0.1:9"), "instance-1")
    with pytest.raises(RegionUnavailableError, match="cannot be reached"):
        gone.check()
    assert sound.region.secret_key not in repr(sound.region)


def test_bytes_under_the_key_that_an_upload_finds(sound: S3Store, behind: S3Store) -> None:
    put(sound, WHERE, CONTENT)
    with pytest.raises(KeyExistsError):
        put(behind, WHERE, CONTENT)


def test_strange_objects_are_not_keys(own: S3Store) -> None:
    put(own, WHERE, CONTENT)
    for name in ["notes.txt", "abcdefghij234567abcd/data/short/0", "a/b/c/d/e"]:
        own.general.once.put_object(Bucket=own.region.bucket, Key=name, Body=b"?")
    assert list(own.list_keys()) == [(WHERE, len(CONTENT))]
