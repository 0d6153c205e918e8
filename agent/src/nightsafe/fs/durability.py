"""Makes files and folders durable, as far as the file system has a way to do that."""

import errno
import os

from nightsafe.fs.files import FOLDER


def _codes(*names: str) -> frozenset[int]:
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


_NO_SYNC = _codes("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOTTY")
"""How file systems answer that have no way to make something durable when asked."""
_NO_FOLDER_SYNC = _NO_SYNC | _codes("EPERM", "EACCES", "EBADF", "EISDIR")
"""The same for a folder, of those that do it for files."""


def sync_file(fd: int) -> None:
    """Make an open file's bytes durable, as far as the file system has a way to do that."""
    _sync(fd, _NO_SYNC)


def sync_folder(path: str) -> None:
    """Make durable what the folder says of its entries, where a folder can be opened for that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        fd = os.open(path, FOLDER)
    except PermissionError:
        return  # one that may be written to but not listed
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
