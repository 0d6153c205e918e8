"""Changes that what stat says does not show, on real disks of ext4: the next backup has them."""

import ctypes
import mmap
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nightsafe.archiver.backup import BackupReport, backup
from nightsafe.backend.local import LocalBackend
from nightsafe.repository.repository import Repository
from nightsafe.restorer.restore import restore

from tests.support.disks import mounted, require_root
from tests.support.programs import program
from tests.support.repositories import CHEAP

PASSPHRASE = "correct horse battery staple"
LARGE = 3 << 20


@contextmanager
def disk(place: Path, inode_size: int) -> Iterator[Path]:
    """A new file system in a file, mounted; inodes of 128 bytes hold whole seconds only."""
    require_root("only root can mount a file system")
    image, folder = place / "image", place / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    command = [program("mkfs.ext4"), "-q", "-F", "-I", str(inode_size), "-N", "1000", str(image)]
    subprocess.run(command, check=True, capture_output=True)
    with mounted(image, folder):
        yield folder


@pytest.fixture
def fine(tmp_path: Path) -> Iterator[Path]:
    """A disk whose times have nanoseconds."""
    with disk(tmp_path, 256) as folder:
        yield folder


@pytest.fixture
def coarse(tmp_path: Path) -> Iterator[Path]:
    """A disk whose times are whole seconds."""
    with disk(tmp_path, 128) as folder:
        yield folder


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(tmp_path / "cache"))
    return Repository.create(LocalBackend(str(tmp_path / "vault")), PASSPHRASE, params=CHEAP)


def stored(repository: Repository, path: Path, target: Path) -> bytes:
    """What a restore of the newest snapshot makes of a file."""
    shutil.rmtree(target, ignore_errors=True)
    repository.load_index()
    snapshot = max(repository.load_snapshots().sound, key=lambda s: s.time)
    restore(repository, snapshot, os.fsencode(target))
    return Path(f"{target}{path}").read_bytes()


def run(repository: Repository, *paths: Path) -> BackupReport:
    return backup(repository, list(map(os.fsencode, paths)))


def signs(path: Path) -> tuple[int, ...]:
    """All that tells a backup that a file is as it was."""
    status = path.lstat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


class Store:
    """A program that keeps a file mapped, and writes to it there."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def write(self, text: bytes) -> None:
        """Store, without a call of the system that might tell it."""
        at = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        ctypes.memmove(at, text, len(text))

    def flush(self) -> None:
        """Have what was stored so far written back, so that the next store is a first one."""
        self._map.flush()


@pytest.mark.parametrize("size", [100, LARGE])
@pytest.mark.parametrize("knows", ["cache", "no cache"])
def test_a_change_in_mapped_memory_is_in_the_next_backup(
    repository: Repository, fine: Path, tmp_path: Path, size: int, knows: str
) -> None:
    path = fine / "folder" / "mapped"
    path.parent.mkdir()
    path.write_bytes(bytes(size))
    store = Store(path)
    for number in range(50):  # the kernel may write the page back meanwhile, which is told
        store.flush()
        store.write(b"first %d" % number)
        before = signs(path)
        run(repository, path.parent)
        store.write(b"other %d" % number)
        is_silent = signs(path) == before
        if knows == "no cache":
            shutil.rmtree(tmp_path / "cache")
        run(repository, path.parent)
        assert stored(repository, path, tmp_path / "target").startswith(b"other %d" % number)
        if is_silent:
            return
    pytest.fail("the file system told of every change, so nothing was tried")


@pytest.mark.parametrize("size", [100, LARGE])
@pytest.mark.parametrize("knows", ["cache", "no cache"])
def test_a_change_within_a_second_is_in_the_next_backup(
    repository: Repository, coarse: Path, tmp_path: Path, size: int, knows: str
) -> None:
    path = coarse / "folder" / "file"
    path.parent.mkdir()
    path.write_bytes(bytes(size))
    for number in range(50):
        # To have most of a second for it; the kernel's clock for stamps is a tick behind.
        time.sleep(1.02 - time.time() % 1)
        with path.open("r+b") as file:
            file.write(b"first %d" % number)
        before = signs(path)
        assert path.lstat().st_mtime_ns % 1_000_000_000 == 0
        run(repository, path.parent)
        with path.open("r+b") as file:
            file.write(b"other %d" % number)
        is_silent = signs(path) == before
        if knows == "no cache":
            shutil.rmtree(tmp_path / "cache")
        run(repository, path.parent)
        assert stored(repository, path, tmp_path / "target").startswith(b"other %d" % number)
        if is_silent:
            return
    pytest.fail("every change came a second later, so nothing was tried")


def test_attributes_and_links_changed_within_a_second(
    repository: Repository, coarse: Path, tmp_path: Path
) -> None:
    """Of a folder and of a link, which have no content to be read again."""
    folder, link = coarse / "folder", coarse / "folder" / "link"
    folder.mkdir()
    for number in range(50):
        time.sleep(1.02 - time.time() % 1)
        os.setxattr(folder, "user.number", b"a%d" % number)
        link.unlink(missing_ok=True)
        link.symlink_to("a")
        before = signs(folder), signs(link)
        run(repository, coarse)
        os.setxattr(folder, "user.number", b"b%d" % number)
        link.unlink()
        link.symlink_to("b")
        is_silent = (signs(folder), signs(link)) == before
        run(repository, coarse)
        target = tmp_path / "target"
        shutil.rmtree(target, ignore_errors=True)
        repository.load_index()
        newest = max(repository.load_snapshots().sound, key=lambda s: s.time)
        restore(repository, newest, os.fsencode(target))
        assert os.readlink(f"{target}{link}") == "b"
        assert os.getxattr(f"{target}{folder}", "user.number") == b"b%d" % number
        if is_silent:
            return
    pytest.fail("every change came a second later, so nothing was tried")
