"""Prefetches directory metadata while scrypt derives the key.

What was seen serves `sight.Prober` in place of looking again. It is younger than the command.
"""

import os
import threading
import time

from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.fs.lstat import Survey, survey
from nightsafe.scanner.lister import SLICE_ENTRIES, Lister

FOLDERS_AT_A_TIME = 16
MAX_ENTRIES = 100_000
"""About 10 MB in memory."""


class Prefetch:
    """Folders as they looked at `began`, in nanoseconds since 1970, or a little later."""

    def __init__(self) -> None:
        self.began = time.time_ns()
        self._found: dict[bytes, Survey] = {}

    def look(
        self, folders: list[bytes], wants: EntryFilter | None, is_over: threading.Event
    ) -> None:
        """Look at folders, and at what is below as far as it is sure that all in them is wanted.

        Until everything is seen, or enough, or `is_over`.
        """
        sight, todo, entries = Lister(wants), list(folders), 0
        while todo and entries < MAX_ENTRIES and not is_over.is_set():
            paths = todo[-FOLDERS_AT_A_TIME:]
            del todo[-FOLDERS_AT_A_TIME:]
            for path, found in zip(paths, survey(paths, SLICE_ENTRIES), strict=True):
                if isinstance(found, tuple) and sight.takes_all(found[0]):
                    self._found[path] = found
                    entries += found[0].count(b"\0") + 1
                    lead = os.path.join(path, b"")
                    todo += [lead + name for name in found[2]]

    def take(self, path: bytes) -> Survey:
        """What was seen of a folder in which all is wanted, once; None if it was not looked at."""
        return self._found.pop(path, None)

    def forget(self) -> None:
        """Nothing of it is needed any more."""
        self._found.clear()
