"""Finds and removes partial files that a killed restore left behind.

A restore holds a shared lock (flock) on its target folder for as long as it runs, and its worker
processes share it. So a partial file is in use only if someone holds a lock on one of the folders
above it. Where folders cannot be locked or opened (Windows, some network file systems), that cannot
be told, and everything is left alone.
"""

import contextlib
import errno
import os
import re
import time
from collections.abc import Collection

from nightsafe.target.directory import Directory, is_regular

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_UNFINISHED = re.compile(rb"\.nightsafe-[0-9a-f]{16}(-[0-9]+)?\.part")
_TRIES, _WAIT_SECONDS = 100, 0.01
"""How often to try for a lock that others hold only briefly."""


class TargetLock:
    """The lock of a running restore on its target. `close` must be called.

    Only a restore that has been alone in its target from the start removes anything: another one's
    lock shows that what is there may be its own.
    """

    def __init__(self, target: Directory) -> None:
        self._target = target.duplicate()
        try:
            self._is_alone = self._is_exclusive()
        except OSError:
            self._is_alone = False

    def close(self) -> None:
        """Release the lock."""
        if fcntl is not None and self._target.handle >= 0:
            with contextlib.suppress(OSError):  # it could not be locked
                fcntl.flock(self._target.handle, fcntl.LOCK_UN)
        self._target.close()

    def clear(self, folder: Directory, *, keep: Collection[bytes]) -> list[bytes]:
        """Remove partial files that cannot be in use from a folder in the target.

        Names in `keep` stay; returns the removed names. Must be called before anything is made in
        the folder.
        """
        removed: list[bytes] = []
        if not self._is_alone:
            return removed
        try:
            found = [name for name in folder.names() if _UNFINISHED.fullmatch(name)]
            if not found or self._is_worked_on(folder):
                return removed
            for name in found:
                if name not in keep and is_regular(folder.status(name)):
                    folder.unlink(name)
                    removed.append(name)
        except OSError:
            pass  # leftovers do no harm
        return removed

    def _is_worked_on(self, folder: Directory) -> bool:
        """Whether the folder may be in the target of another running restore.

        OSError if a folder above it cannot be opened.
        """
        here = folder.duplicate()
        try:
            while True:
                is_ours = here.identity() == self._target.identity()
                if is_ours:
                    self._is_alone = self._is_exclusive()
                if not (self._is_alone if is_ours else _is_free(here)):
                    return True
                above = here.above()
                is_top = above.identity() == here.identity()
                here.close()
                here = above
                if is_top:
                    return False
        finally:
            here.close()

    def _is_exclusive(self) -> bool:
        """Lock the target; returns whether no other restore uses it.

        OSError if that cannot be told.
        """
        is_alone = _lock(self._target, alone=True)
        # A refused request may have dropped the earlier lock, so take a shared one again. Restores
        # that start in between find each other's locks.
        for _ in range(_TRIES):
            if _lock(self._target, alone=False):
                return is_alone
            time.sleep(_WAIT_SECONDS)
        return False


def _is_free(folder: Directory) -> bool:
    """Whether this very folder is nobody's target. OSError if that cannot be told."""
    if not _lock(folder, alone=True):
        return False
    fcntl.flock(folder.handle, fcntl.LOCK_UN)
    return True


def _lock(folder: Directory, *, alone: bool) -> bool:
    """Lock a folder, exclusively or shared; False if someone else's lock conflicts."""
    if fcntl is None or folder.handle < 0:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    try:
        fcntl.flock(folder.handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
