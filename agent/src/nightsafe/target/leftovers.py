"""Finds and removes unfinished files that a killed restore left behind.

A restore holds a shared lock (flock) on the folder that is its target for as long as it runs, and
worker processes hold it with it; so whoever finds an unfinished file can tell whether it may be in
use: somebody would hold a lock on a folder that it lies in. Where a folder cannot be locked or
looked at (Windows, some network file systems), that cannot be told, and all is left alone.
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
"""How often a lock is asked for that others hold only while they look."""


class RestoreClaim:
    """A running restore's word to others that it works below a folder. `close` must be called.

    Only one that was alone in its target from the beginning removes anything: what another restore
    to the same folder makes meanwhile is known by that one's lock.
    """

    def __init__(self, target: Directory) -> None:
        self._target = target.hold()
        try:
            self._is_alone = self._ask()
        except OSError:
            self._is_alone = False

    def close(self) -> None:
        """Let others know that nothing is made here any more."""
        if fcntl is not None and self._target.handle >= 0:
            with contextlib.suppress(OSError):  # what could not be locked
                fcntl.flock(self._target.handle, fcntl.LOCK_UN)
        self._target.close()

    def clear(self, folder: Directory, *, keep: Collection[bytes]) -> list[bytes]:
        """Remove unfinished files that nobody can have in use from a folder in the target, but
        those whose names are to be kept; returns the names.

        To be called before anything is made in the folder.
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
            pass  # they are in nobody's way
        return removed

    def _is_worked_on(self, folder: Directory) -> bool:
        """Whether this folder may lie in the target of another restore that runs.

        OSError if a folder above it cannot be looked at.
        """
        here = folder.hold()
        try:
            while True:
                is_ours = here.identity() == self._target.identity()
                if is_ours:
                    self._is_alone = self._ask()
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

    def _ask(self) -> bool:
        """Whether no other restore has our target for its own; ours is known to others then.

        OSError where that cannot be told.
        """
        is_alone = _lock(self._target, alone=True)
        # Whoever asked and was refused holds nothing any more, whatever he held before. The others
        # that come in between find each other, and are not alone.
        for _ in range(_TRIES):
            if _lock(self._target, alone=False):
                return is_alone
            time.sleep(_WAIT_SECONDS)
        return False


def _is_free(folder: Directory) -> bool:
    """Whether nobody has this very folder for a target. OSError where that cannot be told."""
    if not _lock(folder, alone=True):
        return False
    fcntl.flock(folder.handle, fcntl.LOCK_UN)
    return True


def _lock(folder: Directory, *, alone: bool) -> bool:
    """Lock a folder, alone or with others; False if somebody else's lock is in the way."""
    if fcntl is None or folder.handle < 0:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    try:
        fcntl.flock(folder.handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
