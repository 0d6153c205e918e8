"""What every kind of region's store must do, whatever it is made of."""

import hashlib
import io
import os
import threading

import pytest

from storage.names import CONFIG, ObjectName, ObjectType, StoreKey
from storage.regions.base import (
    KeyExistsError,
    NoSuchKeyError,
    RegionError,
    RegionFullError,
    RegionStore,
    RegionUnavailableError,
)
from storage.regions.filesystem import FilesystemStore
from storage.regions.memory import MemoryStore

VAULT = "abcdefghij234567abcd"


def key(content: bytes = b"", *, attempt: int = 1, vault: str = VAULT) -> StoreKey:
    name = ObjectName(ObjectType.DATA, hashlib.sha256(content).hexdigest())
    return StoreKey(vault, name, f"{attempt:032x}")


@pytest.fixture(params=["filesystem", "memory"])
def empty(request, tmp_path) -> RegionStore:
    if request.param == "filesystem":
        return FilesystemStore("x", tmp_path / "region")
    return MemoryStore("x")


@pytest.fixture
def store(empty) -> RegionStore:
    empty.prepare("instance-1")
    return empty


def put(store: RegionStore, where: StoreKey, content: bytes) -> None:
    store.put(where, io.BytesIO(content), len(content))


def get(store: RegionStore, where: StoreKey, *span: int) -> bytes:
    with store.open(where, *span) as reader:
        return b"".join(reader.chunks())


@pytest.mark.parametrize("size", [0, 1, 255, 256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_bytes_come_back(store, size):
    content = os.urandom(size)
    put(store, key(content), content)
    assert get(store, key(content)) == content
    assert store.size(key(content)) == size


def test_config_has_a_place(store):
    where = StoreKey(VAULT, CONFIG, "0" * 32)
    put(store, where, b"sealed")
    assert get(store, where) == b"sealed"
    assert list(store.list_keys()) == [(where, 6)]


@pytest.mark.parametrize(("start", "length"), [(0, 10), (5, 1), (990, 100), (1000, 5), (3, None)])
def test_spans(store, start, length):
    content = os.urandom(1000)
    put(store, key(content), content)
    wanted = content[start:] if length is None else content[start : start + length]
    assert get(store, key(content), start, length) == wanted


def test_a_key_is_written_once(store):
    put(store, key(), b"first")
    with pytest.raises(KeyExistsError):
        put(store, key(), b"other")
    assert get(store, key()) == b"first"


def test_of_many_writers_of_one_key_one_wins(store):
    contents = [bytes([n]) * 300_000 for n in range(8)]
    wins, lock = [], threading.Lock()

    def write(content: bytes) -> None:
        try:
            put(store, key(), content)
        except KeyExistsError:
            return
        with lock:
            wins.append(content)

    threads = [threading.Thread(target=write, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert get(store, key()) == wins[0]


def test_attempts_of_one_object_lie_side_by_side(store):
    put(store, key(b"x", attempt=1), b"one")
    put(store, key(b"x", attempt=2), b"two")
    assert get(store, key(b"x", attempt=1)) == b"one"
    store.delete(key(b"x", attempt=1))
    assert get(store, key(b"x", attempt=2)) == b"two"


def test_a_missing_key(store):
    with pytest.raises(NoSuchKeyError):
        store.open(key())
    with pytest.raises(NoSuchKeyError):
        store.size(key())


def test_deleting_twice_is_fine(store):
    put(store, key(), b"x")
    store.delete(key())
    store.delete(key())
    with pytest.raises(NoSuchKeyError):
        store.open(key())


def test_listing_by_vault(store):
    other = "zzzzzzzzzzzzzzzzzzzz"
    put(store, key(b"1"), b"1")
    put(store, key(b"2"), b"22")
    put(store, key(b"3", vault=other), b"333")
    assert dict(store.list_keys(VAULT)) == {key(b"1"): 1, key(b"2"): 2}
    assert dict(store.list_keys(other)) == {key(b"3", vault=other): 3}
    assert len(dict(store.list_keys())) == 3


class Failing:
    """A body that breaks off in the middle."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, size: int, /) -> bytes:
        self.reads += 1
        if self.reads > 2:
            raise ConnectionResetError("gone")
        return b"x" * min(size, 1000)


def test_a_body_that_breaks_off_leaves_nothing(store):
    with pytest.raises(ConnectionResetError):
        store.put(key(), Failing(), 10_000)
    assert list(store.list_keys()) == []
    assert store.sweep_staging(0) == 0


@pytest.mark.parametrize("announced", [3, 50])
def test_a_body_of_another_length_leaves_nothing(store, announced):
    with pytest.raises(RegionError):
        store.put(key(), io.BytesIO(b"x" * 10), announced)
    assert list(store.list_keys()) == []


def test_a_body_larger_than_the_room(store):
    with pytest.raises(RegionFullError):
        store.put(key(), io.BytesIO(b""), 1 << 60)


def test_capacity(store):
    room = store.capacity()
    assert 0 < room.free <= room.total


def test_an_unprepared_store_is_unavailable(empty):
    for use in (empty.check, lambda: put(empty, key(), b"x"), lambda: empty.open(key())):
        with pytest.raises(RegionUnavailableError):
            use()


def test_a_store_with_contents_is_not_prepared_again(store):
    put(store, key(), b"x")
    with pytest.raises(RegionUnavailableError):
        store.prepare("instance-2")
    assert get(store, key()) == b"x"
