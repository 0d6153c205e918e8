"""Makes files and folders durable, where the file system supports it."""

import errno
import os

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


def _sync(fd: int, unable: frozenset[int]) -> None:
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in unable:
            raise
