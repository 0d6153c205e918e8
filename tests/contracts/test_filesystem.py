"""What only a region in a directory can get wrong."""

import errno
import io
import os
import stat
import uuid
from pathlib import Path

import pytest

from storage.stores.base import (
    NOTES,
    KeyExistsError,
    RegionFullError,
    RegionUnavailableError,
    UnreadableError,
)
from storage.stores.filesystem.staging import FOLDER as STAGING
from storage.stores.filesystem.store import MARKER, FilesystemStore
from tests.contracts.test_regions import get, key, put


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    made = FilesystemStore("x", tmp_path / "region")
    made.prepare("instance-1")
    return made


def test_an_empty_mount_point_is_not_the_region(store: FilesystemStore) -> None:
    put(store, key(), b"x")
    store.root.rename(store.root.with_name("elsewhere"))
    store.root.mkdir()
    with pytest.raises(RegionUnavailableError, match="mounted"):
        store.open(key())
    with pytest.raises(RegionUnavailableError, match="mounted"):
        put(store, key(b"y"), b"y")
    assert list(store.root.iterdir()) == []


def test_another_drive_is_not_the_region(store: FilesystemStore) -> None:
    (store.root / MARKER).write_text('{"region": "x", "instance": "other"}')
    with pytest.raises(RegionUnavailableError, match="another region"):
        store.check()


def test_a_damaged_marker(store: FilesystemStore) -> None:
    (store.root / MARKER).write_bytes(b"\xff{")
    with pytest.raises(RegionUnavailableError, match="marker"):
        store.check()


def test_an_interrupted_preparation_is_taken_up(store: FilesystemStore) -> None:
    store.prepare("instance-2")
    store.check()
    assert store.instance == "instance-2"


def test_the_directory_of_another_region_is_refused(store: FilesystemStore) -> None:
    with pytest.raises(RegionUnavailableError, match="not empty"):
        FilesystemStore("y", store.root).prepare("instance-9")


def test_a_full_disk_in_the_middle(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(RegionFullError):
            put(store, key(), b"x" * 1000)
    assert list((store.root / STAGING).iterdir()) == []
    put(store, key(), b"x" * 1000)
    assert get(store, key()) == b"x" * 1000


def test_a_file_that_cannot_be_read(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, key(), b"x" * 1000)

    def broken(*args: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(UnreadableError), store.open(key()) as reader:
        reader.read(10)


def test_staging_is_swept_by_age(store: FilesystemStore) -> None:
    left = store.root / STAGING / "left-by-a-killed-process"
    left.write_bytes(b"x")
    assert store.sweep_staging(older_than=3600) == 0
    assert store.sweep_staging(older_than=0) == 1
    assert not left.exists()


def test_strange_files_are_not_keys(store: FilesystemStore) -> None:
    put(store, key(b"x"), b"x")
    for name in ["notes.txt", "abcdefghij234567abcd/data/aa/short.0", "a/b/c/d/e"]:
        path = store.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"?")
    assert list(store.list_keys()) == [(key(b"x"), 1)]


def test_a_directory_that_cannot_be_written(store: FilesystemStore) -> None:
    (store.root / STAGING).rmdir()
    with pytest.raises(RegionUnavailableError):
        store.put(key(), io.BytesIO(b"x"), 1)
    assert list(store.list_keys()) == []


def test_a_claim_of_a_killed_process_is_taken_over(plain_disk: Path) -> None:
    store = FilesystemStore("x", plain_disk / uuid.uuid4().hex)
    store.prepare("instance-1")
    claimed = store.root / NOTES / "catalogue" / "mark"
    claimed.parent.mkdir(parents=True)
    claimed.touch()
    assert store.read_note("catalogue/mark") is None
    with pytest.raises(KeyExistsError):
        store.write_note("catalogue/mark", b"fresh", once=True)
    os.utime(claimed, (0, 0))
    store.write_note("catalogue/mark", b"fresh", once=True)
    assert store.read_note("catalogue/mark") == b"fresh"


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_directory_that_fails_to_be_made_durable_acknowledges_nothing(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    real = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RegionUnavailableError if code == errno.EIO else RegionFullError):
        put(store, key(), b"x")
