"""Locks on open files, which end with the last process that holds one."""

import errno
import os
from typing import Any

from nightsafe.fs.files import TO_CHANGE
from nightsafe.fs.optional import optional

fcntl: Any = optional("fcntl")
msvcrt: Any = optional("msvcrt")


def lock_file(fd: int, *, wait: bool) -> None:
    """Lock an open file for us alone, until the last process that shares it closes it.

    OSError if somebody else has it and we do not `wait`, or if files cannot be locked here.
    """
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    elif msvcrt is not None:
        # What is locked there cannot be read by others, so it is a byte far behind the end.
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)
    else:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def lock_abandoned(path: str) -> int | None:
    """Open and lock a file if the processes that had it locked are dead; None if that fails."""
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
