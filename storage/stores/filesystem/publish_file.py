"""Gives a staged file its final name, durably and once only, on any file system.

exFAT, vfat, SMB and the like have no hard links; there a name is claimed by an empty file, which
the staged one then replaces. What a file system has no way to fsync is left to it.
"""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
_NO_SYNC = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.ENOTTY}
_NO_DIRECTORY_SYNC = _NO_SYNC | {errno.EPERM, errno.EACCES, errno.EBADF, errno.EISDIR}
_CLAIM_SECONDS = 600.0
"""After this a claim is that of a process which was killed between its two steps."""


def publish(staged: Path, final: Path) -> None:
    """Give a staged file, whose bytes are never none, its name.

    Raises FileExistsError if that is taken; of several at once exactly one has it.
    """
    try:
        os.link(staged, final)
    except FileExistsError:
        if not _is_dead_claim(final):
            raise
        staged.replace(final)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _claim(final)
        try:
            staged.replace(final)
        except OSError:
            with suppress(OSError):
                final.unlink()
            raise


def _claim(final: Path) -> None:
    try:
        os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not _is_dead_claim(final):
            raise


def _is_dead_claim(path: Path) -> bool:
    status = path.stat()
    return not status.st_size and time.time() - status.st_mtime > _CLAIM_SECONDS


def sync_file(descriptor: int) -> None:
    """Make a file's bytes durable, as far as its file system can."""
    _fsync(descriptor, _NO_SYNC)


def sync_directory(path: Path) -> None:
    """Make a directory's entries durable, as far as its file system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _fsync(descriptor, _NO_DIRECTORY_SYNC)
    finally:
        os.close(descriptor)


def _fsync(descriptor: int, unable: set[int]) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in unable:
            raise
