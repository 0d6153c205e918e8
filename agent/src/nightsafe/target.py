"""The folder a restore writes to, and the promise that nothing lands outside of it.

All work is relative to an open directory, one name at a time, and no symbolic link is ever
followed: not one that a hostile snapshot made, nor one that was there before.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator

from nightsafe.errors import RestoreError, TargetFullError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_safe_name(name: bytes) -> bool:
    """Whether a name means an entry of its own folder and nothing else."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


class Target:
    """A cursor in the target: it stands in one folder (`fd`) and moves by single names."""

    def __init__(self, path: bytes) -> None:
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._root = os.dup(self.fd)
        except OSError as error:
            shown = os.fsdecode(path)
            raise RestoreError(f"Cannot restore to {shown}: {error.strerror}.") from error
        self._above: list[tuple[int, int]] = []

    def close(self) -> None:
        """Let go of the folders."""
        os.close(self.fd)
        os.close(self._root)

    def enter(self, name: bytes) -> None:
        """Go into a folder, making it if need be. OSError if something else is in the way."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self.fd)
        inner = os.open(name, _FOLDER, dir_fd=self.fd)
        here = os.fstat(self.fd)
        self._above.append((here.st_dev, here.st_ino))
        os.close(self.fd)
        self.fd = inner

    def leave(self) -> int:
        """Go back up; returns the descriptor of the folder left, which the caller closes."""
        outer = os.open(b"..", _FOLDER, dir_fd=self.fd)
        there = os.fstat(outer)
        if (there.st_dev, there.st_ino) != self._above.pop():
            os.close(outer)
            raise RestoreError("A folder was moved while it was restored; nothing more is written.")
        left, self.fd = self.fd, outer
        return left

    @contextlib.contextmanager
    def new_file(self, name: bytes) -> Iterator[int]:
        """A new file under a temporary name, put in place at the end of the block.

        If the block fails nothing is left behind, and what was there before is still there.
        """
        temporary = _temporary_name()
        fd = os.open(temporary, _NEW_FILE, 0o600, dir_fd=self.fd)
        try:
            try:
                yield fd
            finally:
                os.close(fd)
            self._publish(temporary, name)
        except BaseException:
            self._discard(temporary)
            raise

    @contextlib.contextmanager
    def new_entry(self, name: bytes) -> Iterator[bytes]:
        """A temporary name to make a link or special file under, put in place at the end."""
        temporary = _temporary_name()
        try:
            yield temporary
            self._publish(temporary, name)
        except BaseException:
            self._discard(temporary)
            raise

    def link(self, first: tuple[bytes, ...], name: bytes, *, identity: tuple[int, int]) -> None:
        """Make `name` another name of the file restored at `first` (names from the root on).

        OSError if that is not there any more with the same `identity` (device, inode).
        """
        *folders, last = first
        folder = os.dup(self._root)
        try:
            for part in folders:
                inner = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            status = os.stat(last, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) != identity:
                raise FileNotFoundError(errno.ENOENT, "the first name is gone")
            with self.new_entry(name) as temporary:
                os.link(
                    last, temporary, src_dir_fd=folder, dst_dir_fd=self.fd, follow_symlinks=False
                )
        finally:
            os.close(folder)

    def _publish(self, temporary: bytes, name: bytes) -> None:
        os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        # Renaming one name of a file onto another of the same file leaves both in place.
        self._discard(temporary)

    def _discard(self, temporary: bytes) -> None:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=self.fd)


def _temporary_name() -> bytes:
    return b".nightsafe-%s.part" % secrets.token_hex(8).encode()


def write_all(fd: int, data: bytes) -> None:
    """Write, leaving a hole where everything is zero. TargetFullError if the disk is full."""
    if data.count(0) == len(data):
        os.ftruncate(fd, os.lseek(fd, len(data), os.SEEK_CUR))
        return
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def raise_if_full(error: OSError) -> None:
    """TargetFullError when the error says that the disk is full or the user's quota is used."""
    if error.errno in _FULL:
        raise TargetFullError(
            "The disk that is restored to is full. The files restored so far are complete; make "
            "room and run the same command again."
        ) from error
