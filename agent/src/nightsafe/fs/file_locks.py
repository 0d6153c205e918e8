"""Locks on open files, held until the last process that shares one closes it."""

import errno
import os
from typing import Any

from nightsafe.fs.files import TO_CHANGE
from nightsafe.fs.optional import optional

fcntl: Any = optional("fcntl")
msvcrt: Any = optional("msvcrt")


def lock_file(fd: int, *, wait: bool) -> None:
    """Lock an open file exclusively, until the last process that shares it closes it.

    OSError if another process holds the lock and we do not `wait`, or if locks are not supported.
    """
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    elif msvcrt is not None:
        # Others cannot read locked bytes there, so lock one far beyond the end.
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)
    else:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def lock_abandoned(path: str) -> int | None:
    """Open and lock a file whose holders are dead; None if that fails."""
    try:
        fd = os.open(path, TO_CHANGE)
    except OSError:
        return None
    try:
        lock_file(fd, wait=False)
    except OSError:
        os.close(fd)
        return None
    return fd
