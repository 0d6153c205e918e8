"""What goes wrong while a backup runs: files, storage, locks, other devices."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import (
    LockLostError,
    QuotaError,
    StaleIndexError,
    StorageError,
    UnreachableError,
)
from nightsafe.file_saver import file_reader, worker
from nightsafe.fs.files import read_at
from nightsafe.fs.lstat import (
    portable_list_folders,
    portable_load,
    portable_lstat_all,
    portable_record,
)
from nightsafe.packer import index_writer
from nightsafe.progress import Event, Issue
from nightsafe.repofile.pack import BlobKind
from nightsafe.repository import locks
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.scanner import fingerprint, lister

from tests.unit.agent.archiver.test_backup import names, run, stored
from tests.unit.agent.conftest import reopen


def forget_cache() -> None:
    """As on a new computer: nothing is known but what the repository says."""
    shutil.rmtree(os.environ["NIGHTSAFE_CACHE_DIR"])


def fail_to_open(monkeypatch: pytest.MonkeyPatch, name: str, code: int, call: str = "open") -> None:
    real = getattr(os, call)

    def fail(path: object, *args: object, **kwargs: object) -> object:
        if isinstance(path, bytes) and path.endswith(name.encode()):
            raise OSError(code, os.strerror(code), path)
        return real(path, *args, **kwargs)

    look_in_python(monkeypatch)
    monkeypatch.setattr(os, call, fail)


def look_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a call of `os` is replaced, it must be what is called."""
    monkeypatch.setattr(lister, "lstat_all", portable_lstat_all)
    monkeypatch.setattr(lister, "list_folders", portable_list_folders)
    monkeypatch.setattr(worker, "load", portable_load)
    monkeypatch.setattr(fingerprint, "record", portable_record)


@pytest.mark.parametrize(
    ("name", "call"),
    [("one.txt", "open"), ("inner", "open"), ("one.txt", "lstat"), ("link", "readlink")],
)
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_what_cannot_be_read_is_said_and_left_out(
    repository: Repository,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    call: str,
    code: int,
) -> None:
    with monkeypatch.context() as patch:
        fail_to_open(patch, name, code, call)
        report = run(repository, source)
    assert not report.is_complete
    (issue,) = report.issues
    assert issue.kind == "unreadable"
    assert os.fsencode(source / name) == issue.path
    assert "it is not in this snapshot" in str(issue)
    assert os.fsencode(source / name) not in stored(repository)
    assert os.fsencode(source / "empty") in stored(repository)


def test_an_error_in_the_middle_of_a_file(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "big").write_bytes(os.urandom(3 << 19))
    real, calls = os.read, []

    def fail(fd: int, size: int) -> bytes:
        calls.append(size)
        if size > 2 << 20 and len(calls) > 1:
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, min(size, 1 << 20))

    with monkeypatch.context() as patch:
        look_in_python(patch)
        patch.setattr(os, "read", fail)
        report = run(repository, source)
    assert [issue.path for issue in report.issues] == [os.fsencode(source / "big")]
    assert os.fsencode(source / "big") not in stored(repository)


@pytest.mark.parametrize("call", ["lstat", "open"])
def test_a_file_that_vanishes_is_said_but_nothing_is_missing(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with monkeypatch.context() as patch:
        fail_to_open(patch, "one.txt", errno.ENOENT, call)
        report = run(repository, source)
    assert report.is_complete
    assert [issue.kind for issue in report.issues] == ["vanished"]


def grow_when_read(patch: pytest.MonkeyPatch, path: Path, *, times: int) -> None:
    real, left = os.read, [times]

    def grow(fd: int, size: int) -> bytes:
        if left[0] and os.fstat(fd).st_ino == path.stat().st_ino:
            left[0] -= 1
            with path.open("a") as file:
                file.write("x" * 200)
        return real(fd, size)

    look_in_python(patch)
    patch.setattr(os, "read", grow)


def test_a_file_that_grew_since_it_was_listed_is_read_again(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = source / "one.txt"
    with monkeypatch.context() as patch:
        grow_when_read(patch, path, times=1)
        report = run(repository, source)
    assert report.issues == [], "the second reading is not mixed"
    assert stored(repository)[os.fsencode(path)].size == path.stat().st_size
    assert run(repository, source).count.unchanged > 0


def test_a_file_that_grows_while_it_is_read(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = source / "one.txt"
    with monkeypatch.context() as patch:
        grow_when_read(patch, path, times=2)
        report = run(repository, source)
    assert [issue.kind for issue in report.issues] == ["changed"]
    assert report.is_complete
    assert stored(repository)[os.fsencode(path)].size == path.stat().st_size
    assert run(repository, source).count.changed == 1, "it must be read again next time"


@pytest.mark.parametrize("size", [100, 3 << 19, 3 << 20])
def test_a_file_that_ends_too_early_is_said(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """As on a file system that fails, without the extensions: small, middle-sized and large."""
    path = source / "short"
    path.write_bytes(os.urandom(size))
    inode, read = path.stat().st_ino, os.read

    def short(fd: int, wanted: int) -> bytes:
        if os.fstat(fd).st_ino != inode:
            return read(fd, wanted)
        return read(fd, max(0, min(wanted, size // 2 - os.lseek(fd, 0, os.SEEK_CUR))))

    def short_at(fd: int, view: memoryview, offset: int) -> int:
        return read_at(fd, view[: max(0, size // 2 - offset)], offset)

    with monkeypatch.context() as patch:
        look_in_python(patch)
        patch.setattr(os, "read", short)
        patch.setattr(file_reader, "read_at", short_at)
        report = run(repository, source)
    (issue,) = report.issues
    assert (issue.kind, issue.path) == ("unreadable", os.fsencode(path))
    assert f"only {size // 2} of its {size} bytes" in issue.text
    assert not report.is_complete
    assert stored(repository)[os.fsencode(path)].size == size // 2
    again = run(repository, source)
    assert (again.is_complete, again.count.changed) == (True, 1)
    assert stored(repository)[os.fsencode(path)].size == size


def pretend_unchanged(monkeypatch: pytest.MonkeyPatch, name: bytes, real: os.stat_result) -> None:
    """Let a file that was swapped be found as it was, when folders are looked at in Python."""
    lstat = os.lstat

    def lie(path: Any, **told: Any) -> os.stat_result:
        return real if isinstance(path, bytes) and path.endswith(name) else lstat(path, **told)

    look_in_python(monkeypatch)
    monkeypatch.setattr(os, "lstat", lie)


def test_a_file_swapped_for_a_link_is_not_followed(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between lstat and open the name came to mean something else."""
    secret = source.parent / "secret"
    secret.write_text("secret")
    real = os.lstat(source / "one.txt")
    (source / "one.txt").unlink()
    (source / "one.txt").symlink_to(secret)
    pretend_unchanged(monkeypatch, b"one.txt", real)
    report = run(repository, source)
    assert [issue.path for issue in report.issues] == [os.fsencode(source / "one.txt")]


def test_a_file_swapped_for_a_fifo_does_not_hang(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.lstat(source / "one.txt")
    (source / "one.txt").unlink()
    os.mkfifo(source / "one.txt")
    pretend_unchanged(monkeypatch, b"one.txt", real)
    (issue,) = run(repository, source).issues
    assert (issue.kind, issue.is_failure) == ("unreadable", True), "what is there now is missing"


def test_an_interrupted_backup_is_not_repeated(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_writer, "INDEX_PACKS", 1)
    monkeypatch.setattr("nightsafe.repofile.pack.PACK_SIZE", 100_000)
    for number in range(20):
        (source / f"file-{number:02}").write_bytes(os.urandom(30_000))
    with monkeypatch.context() as patch:
        real, saved = repository.storage.save, []

        def fail(kind: ObjectKind, name: str, data: bytes) -> None:
            saved.append(kind)
            if saved.count(ObjectKind.DATA) > 4:
                raise UnreachableError("gone")
            real(kind, name, data)

        patch.setattr(repository.storage, "save", fail)
        with pytest.raises(UnreachableError):
            run(repository, source)
    assert names(repository, ObjectKind.SNAPSHOT) == set()
    report = run(reopen(repository), source)
    assert report.is_complete
    assert report.count.added_bytes < 20 * 30_000 - 3 * 90_000


def test_a_full_plan_stops_the_backup_and_leaves_no_lock(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = repository.storage.save

    def refuse(kind: ObjectKind, name: str, data: bytes) -> None:
        if kind is ObjectKind.DATA:
            raise QuotaError("The storage of the plan is used up.")
        real(kind, name, data)

    monkeypatch.setattr(repository.storage, "save", refuse)
    with pytest.raises(QuotaError):
        run(repository, source)
    assert names(repository, ObjectKind.LOCK) == set()


def test_a_place_that_fails_is_no_fault_of_the_files(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pack is sent while a file is read, and what the system says of it is not of the file."""
    monkeypatch.setattr("nightsafe.repofile.pack.PACK_SIZE", 100_000)
    for number in range(20):
        (source / f"file-{number:02}").write_bytes(os.urandom(600_000))
    real, told = repository.storage.save, list[Event]()

    def fail(kind: ObjectKind, name: str, data: bytes) -> None:
        if kind is ObjectKind.DATA:
            raise OSError(errno.EIO, "Input/output error")
        real(kind, name, data)

    monkeypatch.setattr(repository.storage, "save", fail)
    with pytest.raises(StorageError, match="cannot be stored"):
        backup(repository, [os.fsencode(source)], observer=told.append)
    assert not [event for event in told if isinstance(event, Issue)]
    assert names(repository, ObjectKind.SNAPSHOT) == set()


@pytest.fixture
def pruned(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A storage where another device prunes everything just before our first snapshot."""
    real, refused = repository.storage.save, list[str]()

    def save(kind: ObjectKind, name: str, data: bytes) -> None:
        if kind is ObjectKind.SNAPSHOT and not refused:
            refused.append(name)
            for doomed in (ObjectKind.INDEX, ObjectKind.DATA):
                for gone in names(repository, doomed):
                    repository.storage.remove(doomed, gone)
            raise StaleIndexError("Another device pruned.")
        real(kind, name, data)

    monkeypatch.setattr(repository.storage, "save", save)
    return refused


def test_what_another_device_pruned_is_stored_again(
    repository: Repository, source: Path, pruned: list[str]
) -> None:
    (source / "big").write_bytes(os.urandom(2_000_000))
    report = run(repository, source)
    assert len(pruned) == 1
    assert report.is_complete
    assert names(repository, ObjectKind.SNAPSHOT) == {report.snapshot_id}
    reopened = reopen(repository)
    reopened.load_index()
    reader = BlobReader(reopened)
    for node in stored(repository).values():
        for blob in node.content or ():
            reader.load(BlobKind.DATA, blob)


def test_a_second_refusal_is_final(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = repository.storage.save

    def refuse(kind: ObjectKind, name: str, data: bytes) -> None:
        if kind is ObjectKind.SNAPSHOT:
            raise StaleIndexError("No.")
        real(kind, name, data)

    monkeypatch.setattr(repository.storage, "save", refuse)
    with pytest.raises(StaleIndexError):
        run(repository, source)


def test_no_snapshot_is_written_with_a_lost_lock(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(self: locks.HeldLock) -> None:
        raise LockLostError("lost")

    monkeypatch.setattr(locks.HeldLock, "ensure_held", lost)
    with pytest.raises(LockLostError):
        run(repository, source)
    assert names(repository, ObjectKind.SNAPSHOT) == set()


def test_damaged_snapshots_and_indexes_do_not_stop_a_backup(
    repository: Repository, source: Path
) -> None:
    run(repository, source)
    forget_cache()
    for kind in (ObjectKind.SNAPSHOT, ObjectKind.INDEX):
        repository.storage.save(kind, "ab" * 32, b"rubbish")
    report = run(repository, source)
    assert report.is_complete
    assert [issue.kind for issue in report.issues] == ["damaged", "damaged"]
    assert report.count.unchanged == 3


def test_a_damaged_parent_makes_everything_be_read_again(
    repository: Repository, source: Path
) -> None:
    run(repository, source)
    forget_cache()
    for name in names(repository, ObjectKind.DATA):
        pack = Path(repository.storage.location, "data", name[:2], name)
        os.chmod(pack, 0o600)
        pack.write_bytes(bytes(pack.stat().st_size))
    report = run(repository, source)
    assert report.count.new == 3
    assert "read anew" in str(report.issues[0])
