"""Beside the keys: the service's own notes, many removals at once, and listings that are whole."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_service.embedded.stores import Store
from storage.stores.base import (
    NOTES,
    KeyExistsError,
    NoSuchKeyError,
    RegionStore,
    RegionUnavailableError,
)
from storage.stores.filesystem.layout import path_of
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.s3.marker import NAME as MARKER
from storage.stores.s3.store import S3Store
from tests.contracts.conftest import drop, new_bucket
from tests.contracts.test_regions import VAULT, get, key, put
from tests.support.stores import seaweedfs
from tests.support.stores.proxy import FaultyProxy

OTHER = "zzzzzzzzzzzzzzzzzzzz"


def filled(store: RegionStore, count: int) -> list[bytes]:
    contents = [b"%d" % n for n in range(count)]
    for content in contents:
        put(store, key(content), content)
    return contents


def test_a_note_is_kept_replaced_and_told_apart(store: RegionStore) -> None:
    assert store.read_note("mark") is None
    store.write_note("mark", b"one")
    store.write_note("mark", b"two")
    assert store.read_note("mark") == b"two"
    store.write_note("journal/0001", b"entries", once=True)
    with pytest.raises(KeyExistsError):
        store.write_note("journal/0001", b"others", once=True)
    assert store.read_note("journal/0001") == b"entries"
    for number in range(2, 9):  # more than a page of the tests' S3 regions
        store.write_note(f"journal/{number:04}", b"x", once=True)
    assert store.list_notes("journal") == [f"journal/{number:04}" for number in range(1, 9)]
    assert store.list_notes("other") == []


def test_notes_are_no_keys_and_no_vaults(store: RegionStore) -> None:
    store.write_note("mark", b"one")
    store.write_note("journal/0001", b"entries")
    assert list(store.list_keys()) == []
    assert list(store.list_vaults()) == []
    put(store, key(b"x"), b"x")
    put(store, key(b"x", vault=OTHER), b"x")
    assert sorted(store.list_vaults()) == [VAULT, OTHER]
    assert len(list(store.list_keys())) == 2


def test_a_store_with_notes_is_not_empty(store: RegionStore) -> None:
    store.write_note("mark", b"one")
    with pytest.raises(RegionUnavailableError, match="empty"):
        store.prepare("instance-2")


@pytest.mark.parametrize("name", ["", "../mark", "a/b/c", "/a", "a/", "A", ".", "a/..", "a b"])
def test_names_of_notes_are_plain(store: RegionStore, name: str) -> None:
    with pytest.raises(ValueError, match="note"):
        store.write_note(name, b"")
    with pytest.raises(ValueError, match="note"):
        store.read_note(name)


def test_many_keys_go_at_once_and_only_they(store: RegionStore) -> None:
    contents = filled(store, 8)
    doomed = [key(content) for content in contents[:5]]
    assert store.delete_many([*doomed, key(b"never was")]) == [*doomed, key(b"never was")]
    assert {where for where, _ in store.list_keys()} == {key(one) for one in contents[5:]}
    assert store.delete_many(doomed) == doomed
    assert store.delete_many([]) == []


def test_notes_of_a_region_that_is_given_up_are_dropped(store: RegionStore) -> None:
    store.drop_notes()  # there are none yet
    where = key(b"kept")
    put(store, where, b"kept")
    for name in ("mark", "journal/1", "journal/2"):
        store.write_note(name, b"one")
    store.drop_notes()
    assert store.read_note("mark") is None
    assert store.list_notes("journal") == []
    assert [found for found, _ in store.list_keys()] == [where]


def test_more_keys_than_a_request_takes(store: RegionStore) -> None:
    left = key(b"left")
    put(store, left, b"left")
    names = [hashlib.sha256(b"%d" % n).digest() for n in range(2100)]
    doomed = [key(name) for name in names]
    for content in names[::100]:
        put(store, key(content), content)
    assert store.delete_many(doomed) == doomed
    assert [where for where, _ in store.list_keys()] == [left]


@pytest.fixture(scope="module")
def shared(seaweed: Store) -> Iterator[S3Store]:
    made = S3Store(seaweedfs.region(seaweed, new_bucket()))
    made.prepare("instance-1")
    yield made
    drop(made)


@pytest.fixture
def sound(shared: S3Store) -> Iterator[S3Store]:
    """A bucket without a proxy, to see what is really there."""
    yield shared
    shared.delete_many([where for where, _size in shared.list_keys()])


@pytest.fixture
def proxy(seaweed: Store) -> Iterator[FaultyProxy]:
    with FaultyProxy(seaweed.port) as running:
        yield running


@pytest.fixture
def behind(seaweed: Store, sound: S3Store, proxy: FaultyProxy) -> S3Store:
    return S3Store(
        seaweedfs.region(seaweed, sound.region.bucket, port=proxy.port),
        "instance-1",
    )


def judged(proxy: FaultyProxy, fault: str, methods: str, *, mark: str) -> None:
    """Do something to requests of these methods whose path has `mark` in it."""
    proxy.fault.judge = lambda method, path: fault if method in methods and mark in path else ""


@pytest.mark.parametrize("status", [501, 405, 400, 403, 503])
def test_a_store_that_does_not_know_the_request_is_asked_key_by_key(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy, status: int
) -> None:
    contents = filled(sound, 5)
    judged(proxy, f"refuse-{status}", "POST", mark=sound.region.bucket)
    doomed = [key(content) for content in contents[:3]]
    assert behind.delete_many(doomed) == doomed
    assert len(list(sound.list_keys())) == 2
    asked = len(proxy.fault.seen)
    behind.delete_many(doomed)
    assert (len(proxy.fault.seen) == asked) is (status in (501, 405))  # known for good


def test_what_a_store_says_and_does_not_do_is_not_believed(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy
) -> None:
    contents = filled(sound, 5)
    judged(proxy, "lie", "POST DELETE", mark=sound.region.bucket)
    assert behind.delete_many([key(content) for content in contents]) == []
    assert len(list(sound.list_keys())) == 5


def test_what_cannot_be_removed_is_left_out_and_the_rest_goes(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy
) -> None:
    contents = filled(sound, 5)
    bad = key(contents[2])
    judged(proxy, "refuse-403", "POST DELETE", mark=sound.region.bucket)
    proxy.fault.judge = lambda method, path: (
        "refuse-403" if method == "POST" or (method == "DELETE" and bad.object.name in path) else ""
    )
    doomed = [key(content) for content in contents]
    assert behind.delete_many(doomed) == [one for one in doomed if one != bad]
    assert [where for where, _ in sound.list_keys()] == [bad]


@pytest.mark.parametrize("fault", ["refuse-503", "reset", "hang"])
def test_a_region_that_is_away_removes_nothing(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy, fault: str
) -> None:
    contents = filled(sound, 3)
    proxy.fault.judge = lambda method, path: fault
    assert behind.delete_many([key(content) for content in contents]) == []
    assert len(list(sound.list_keys())) == 3


def test_another_bucket_in_the_region_s_place_is_not_taken_for_it(
    behind: S3Store, sound: S3Store
) -> None:
    filled(sound, 3)
    place = {"Bucket": sound.region.bucket, "Key": MARKER}
    sound.general.again.put_object(**place, Body=b'{"region": "x", "instance": "another"}')
    try:
        assert behind.delete_many([key(b"0")]) == []
        assert get(sound, key(b"0")) == b"0"
    finally:
        sound.general.again.put_object(**place, Body=b'{"region": "x", "instance": "instance-1"}')


@pytest.mark.parametrize("fault", ["refuse-503", "reset", "cut"])
def test_a_listing_that_breaks_off_says_so(
    behind: S3Store, sound: S3Store, proxy: FaultyProxy, fault: str
) -> None:
    filled(sound, 8)
    pages = [0]

    def judge(method: str, path: str) -> str:
        if method != "GET" or path.rstrip("/").count("/") > 1:
            return ""
        pages[0] += 1
        return fault if pages[0] > 2 else ""

    proxy.fault.judge = judge
    with pytest.raises(RegionUnavailableError):
        list(behind.list_keys(VAULT))


@pytest.mark.parametrize("fault", ["lie", "swap"])
def test_a_note_that_was_not_kept_is_no_note(
    behind: S3Store, proxy: FaultyProxy, fault: str
) -> None:
    judged(proxy, fault, "PUT", mark=NOTES)
    with pytest.raises(RegionUnavailableError):
        behind.write_note("mark", b"one")


@pytest.fixture
def folder(tmp_path: Path) -> FilesystemStore:
    made = FilesystemStore("x", tmp_path / "region")
    made.prepare("instance-1")
    return made


def test_a_folder_that_cannot_be_listed_is_no_empty_one(
    folder: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(folder, 20)
    bad = path_of(folder.root, key(b"3")).parent
    real = os.scandir

    def failing(path: str) -> Iterator[os.DirEntry[str]]:
        if path == str(bad):
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(RegionUnavailableError):
        list(folder.list_keys())
    with pytest.raises(RegionUnavailableError):
        list(folder.list_keys(VAULT))


def test_a_file_that_cannot_be_removed_stays_on_the_list(
    folder: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = filled(folder, 3)
    real = Path.unlink

    def failing(path: Path, *args: Any, **kwargs: Any) -> None:
        if path == path_of(folder.root, key(contents[1])):
            raise PermissionError(1, "Operation not permitted")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "unlink", failing)
    doomed = [key(content) for content in contents]
    assert folder.delete_many(doomed) == [doomed[0], doomed[2]]
    with pytest.raises(NoSuchKeyError):
        folder.size(doomed[0])
