"""What every kind of region's store must do, whatever it is made of."""

import hashlib
import io
import os
import threading
from pathlib import Path

import pytest

from storage.body import HashedBody, HashMismatchError, IncompleteBodyError
from storage.object_names import CONFIG, ObjectName, ObjectType, StoreKey
from storage.stores.base import (
    Expected,
    KeyExistsError,
    NoSuchKeyError,
    OtherBytesError,
    RegionError,
    RegionFullError,
    RegionStore,
    RegionUnavailableError,
)
from storage.stores.filesystem.store import FilesystemStore

VAULT = "abcdefghij234567abcd"


def key(content: bytes = b"", *, attempt: int = 1, vault: str = VAULT) -> StoreKey:
    name = ObjectName(ObjectType.DATA, hashlib.sha256(content).hexdigest())
    return StoreKey(vault, name, f"{attempt:032x}")


def put(store: RegionStore, where: StoreKey, content: bytes) -> None:
    store.put(where, io.BytesIO(content), len(content))


def get(store: RegionStore, where: StoreKey, start: int = 0, length: int | None = None) -> bytes:
    with store.open(where, start, length) as reader:
        return b"".join(reader.chunks())


def get_into(
    store: RegionStore,
    where: StoreKey,
    start: int = 0,
    length: int | None = None,
    *,
    room: int = 100_000,
) -> bytes:
    """As `get`, by the other way of reading."""
    buffer, content = memoryview(bytearray(room)), b""
    with store.open(where, start, length) as reader:
        while count := reader.readinto(buffer):
            content += buffer[:count]
    return content


@pytest.mark.parametrize("size", [0, 1, 255, 256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_bytes_come_back(store: RegionStore, size: int) -> None:
    content = os.urandom(size)
    put(store, key(content), content)
    assert get(store, key(content)) == content
    assert get_into(store, key(content)) == content
    assert store.size(key(content)) == size


def test_config_has_a_place(store: RegionStore) -> None:
    where = StoreKey(VAULT, CONFIG, "0" * 32)
    put(store, where, b"sealed")
    assert get(store, where) == b"sealed"
    assert list(store.list_keys()) == [(where, 6)]


@pytest.mark.parametrize(("start", "length"), [(0, 10), (5, 1), (990, 100), (1000, 5), (3, None)])
def test_spans(store: RegionStore, start: int, length: int | None) -> None:
    content = os.urandom(1000)
    put(store, key(content), content)
    wanted = content[start:] if length is None else content[start : start + length]
    assert get(store, key(content), start, length) == wanted
    for room in (1, 7, 5000):
        assert get_into(store, key(content), start, length, room=room) == wanted


def test_a_key_is_written_once(store: RegionStore) -> None:
    where = StoreKey(VAULT, CONFIG, "0" * 32)  # the one name that fits any bytes
    put(store, where, b"first")
    with pytest.raises(KeyExistsError):
        put(store, where, b"other")
    assert get(store, where) == b"first"


def test_the_same_bytes_are_not_written_twice_either(store: RegionStore) -> None:
    put(store, key(b"x" * 300_000), b"x" * 300_000)
    with pytest.raises(KeyExistsError):
        put(store, key(b"x" * 300_000), b"x" * 300_000)


@pytest.mark.parametrize(
    ("where", "contents"),
    [
        (StoreKey(VAULT, CONFIG, "0" * 32), [bytes([n]) * 60_000 for n in range(8)]),
        (key(b"x" * 2_000_000), [b"x" * 2_000_000] * 8),
    ],
    ids=["different", "equal"],
)
def test_of_many_writers_of_one_key_one_wins(
    store: RegionStore, where: StoreKey, contents: list[bytes]
) -> None:
    wins, losses, start = [], [], threading.Barrier(8)

    def write(content: bytes) -> None:
        start.wait()
        try:
            put(store, where, content)
            wins.append(content)
        except Exception as error:
            losses.append(type(error))

    threads = [threading.Thread(target=write, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(wins), losses) == (1, [KeyExistsError] * 7)
    assert get(store, where) == wins[0]


def test_attempts_of_one_object_lie_side_by_side(store: RegionStore) -> None:
    put(store, key(b"x", attempt=1), b"x")
    put(store, key(b"x", attempt=2), b"x")
    assert get(store, key(b"x", attempt=1)) == b"x"
    store.delete(key(b"x", attempt=1))
    with pytest.raises(NoSuchKeyError):
        store.open(key(b"x", attempt=1))
    assert get(store, key(b"x", attempt=2)) == b"x"


def test_a_missing_key(store: RegionStore) -> None:
    with pytest.raises(NoSuchKeyError):
        store.open(key())
    with pytest.raises(NoSuchKeyError):
        store.size(key())


def test_deleting_twice_is_fine(store: RegionStore) -> None:
    put(store, key(b"x"), b"x")
    store.delete(key(b"x"))
    store.delete(key(b"x"))
    with pytest.raises(NoSuchKeyError):
        store.open(key(b"x"))


def test_listing_by_vault(store: RegionStore) -> None:
    other = "zzzzzzzzzzzzzzzzzzzz"
    contents = [b"x" * n for n in range(1, 9)]  # more than a page of the tests' S3 regions
    for content in contents:
        put(store, key(content), content)
    put(store, key(b"3", vault=other), b"3")
    assert dict(store.list_keys(VAULT)) == {key(content): len(content) for content in contents}
    assert dict(store.list_keys(other)) == {key(b"3", vault=other): 1}
    assert len(list(store.list_keys())) == 9


def test_a_vault_is_listed_in_order_and_from_any_key_on(store: RegionStore) -> None:
    held = {StoreKey(VAULT, CONFIG, "0" * 32): b"x"}
    for number in range(6):
        content = b"x" * number
        lock = ObjectName(ObjectType.LOCK, hashlib.sha256(content).hexdigest())
        held[StoreKey(VAULT, lock, "1" * 32)] = content
        held |= {key(content, attempt=attempt): content for attempt in (1, 2)}
    for where, content in held.items():
        put(store, where, content)
    for other in ("a" * 20, "z" * 20):
        put(store, key(vault=other), b"")
    keys = sorted(held, key=str)
    assert [where for where, _ in store.list_keys(VAULT)] == keys
    for number, where in enumerate(keys):
        assert [one for one, _ in store.list_keys(VAULT, after=where)] == keys[number + 1 :]
    for where in keys[::2]:
        store.delete(where)
    for number, where in enumerate(keys):  # one that is gone by now is a place to go on from too
        later = keys[number + 1 :]
        rest = [one for one in later if one in keys[1::2]]
        assert [one for one, _ in store.list_keys(VAULT, after=where)] == rest


def test_an_empty_region_lists_nothing(store: RegionStore) -> None:
    assert list(store.list_keys()) == list(store.list_keys(VAULT)) == []


class Failing:
    """A body that breaks off in the middle."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, size: int, /) -> bytes:
        self.reads += 1
        if self.reads > 2:
            raise ConnectionResetError("gone")
        return b"x" * min(size, 1000)


def test_a_body_that_breaks_off_leaves_nothing(store: RegionStore) -> None:
    with pytest.raises(ConnectionResetError):
        store.put(key(), Failing(), 10_000)
    assert list(store.list_keys()) == []
    assert store.sweep_staging(0) == 0


@pytest.mark.parametrize("announced", [0, 3, 9, 11, 50])
@pytest.mark.parametrize("where", [key(b"x" * 10), StoreKey(VAULT, CONFIG, "0" * 32)])
def test_a_body_of_another_length_leaves_nothing(
    store: RegionStore, where: StoreKey, announced: int
) -> None:
    with pytest.raises(RegionError):
        store.put(where, io.BytesIO(b"x" * 10), announced)
    assert list(store.list_keys()) == []


@pytest.mark.parametrize("size", [0, 10, 700_000])
def test_wrong_bytes_leave_nothing(store: RegionStore, size: int) -> None:
    """As in an upload: the last piece is not handed on unless the hash is right."""
    body = HashedBody(io.BytesIO(b"x" * size), size=size, sha256="0" * 64)
    with pytest.raises(HashMismatchError):
        store.put(key(b"something else"), body, size)
    assert list(store.list_keys()) == []


def test_a_connection_that_ends_early_leaves_nothing(store: RegionStore) -> None:
    body = HashedBody(io.BytesIO(b"x" * 700_000), size=900_000, sha256="0" * 64)
    with pytest.raises(IncompleteBodyError):
        store.put(key(), body, 900_000)
    assert list(store.list_keys()) == []


def test_what_a_copy_is_made_from_may_be_another_region(store: RegionStore, tmp_path: Path) -> None:
    source = FilesystemStore("y", tmp_path / "source")
    source.prepare("instance-9")
    content = os.urandom(1_000_000)
    put(source, key(content), content)
    with source.open(key(content)) as reader:
        store.put(key(content, attempt=2), reader, len(content))
    assert get(store, key(content, attempt=2)) == content


def test_confirming(store: RegionStore) -> None:
    content = os.urandom(1000)
    put(store, key(content), content)
    name = key(content).object.name
    store.confirm(key(content), size=1000, sha256=name)
    for size, sha256 in ((999, name), (1000, "0" * 64)):
        with pytest.raises(OtherBytesError):
            store.confirm(key(content), size=size, sha256=sha256)
    with pytest.raises(NoSuchKeyError):
        store.confirm(key(b"x"), size=1, sha256=key(b"x").object.name)


def test_a_glance_is_never_sure_of_what_is_not_there(store: RegionStore) -> None:
    """Of what is there it may be sure; who has to read it for that is not."""
    content = os.urandom(1000)
    put(store, key(content), content)
    name = key(content).object.name
    right = Expected(key(content), 1000, name)
    wrong = [
        Expected(key(content), 999, name),
        Expected(key(content), 1000, "0" * 64),
        Expected(key(b"x"), 1000, name),
    ]
    assert store.surely_has([*wrong, right, *wrong])[:3] == [False] * 3
    assert store.surely_has([*wrong, right, *wrong])[4:] == [False] * 3
    assert store.surely_has([]) == []


def test_a_body_larger_than_the_room(store: RegionStore) -> None:
    with pytest.raises(RegionFullError):
        store.put(key(), io.BytesIO(b""), 1 << 60)


def test_capacity(store: RegionStore) -> None:
    room = store.capacity()
    assert 0 < room.free <= room.total


def test_an_unprepared_store_is_unavailable(empty: RegionStore) -> None:
    for use in (empty.check, lambda: put(empty, key(), b"x"), lambda: empty.open(key())):
        with pytest.raises(RegionUnavailableError):
            use()


def test_a_store_with_contents_is_not_prepared_again(store: RegionStore) -> None:
    put(store, key(b"x"), b"x")
    with pytest.raises(RegionUnavailableError):
        store.prepare("instance-2")
    assert get(store, key(b"x")) == b"x"


def test_spans_of_an_empty_object_and_of_none(store: RegionStore) -> None:
    put(store, key(), b"")
    assert get(store, key(), 0, 10) == get(store, key(), 5, 1) == b""
    put(store, key(b"x"), b"x")
    assert get(store, key(b"x"), 0, 0) == b""
    with pytest.raises(NoSuchKeyError):
        store.open(key(b"y"), 3, 0)
    with pytest.raises(NoSuchKeyError):
        store.open(key(b"y"), 3, 4)
