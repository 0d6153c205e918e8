"""Makes files and folders durable, where the file system supports it."""

import contextlib
import errno
import os
import stat

from nightsafe.fs.files import FOLDER


def _codes(*names: str) -> frozenset[int]:
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


_NO_SYNC = _codes("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOTTY")
"""Errors of file systems that do not support syncing a file."""
_NO_FOLDER_SYNC = _NO_SYNC | _codes("EPERM", "EACCES", "EBADF", "EISDIR")
"""Errors of file systems that do not support syncing a folder."""


def sync_file(fd: int) -> None:
    """Sync an open file to the disk, where the file system supports it."""
    _sync(fd, _NO_SYNC)


def sync_folder(path: str) -> None:
    """Sync a folder's entries to the disk, where a folder can be opened for that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        fd = os.open(path, FOLDER)
    except PermissionError:
        return  # it may be writable but not readable
    try:
        _sync(fd, _NO_FOLDER_SYNC)
    finally:
        os.close(fd)


def read_file(path: str, most: int) -> bytes:
    """Return what a small file holds, at most so many bytes of it.

    OSError for whatever is no regular file, such as a pipe, which would hold its reader up.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read(most)


def replace_file(path: str, text: str, *, mode: int = 0o600, folder_mode: int = 0o700) -> None:
    """Write a small file at once: whoever reads it finds the old text or the new one, whole.

    Its folder is made if it lacks. OSError if that fails; then the old file is as it was.
    """
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, mode=folder_mode, exist_ok=True)
    temporary = f"{path}.{os.urandom(6).hex()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            sync_file(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(folder)


def _sync(fd: int, unable: frozenset[int]) -> None:
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in unable:
            raise
