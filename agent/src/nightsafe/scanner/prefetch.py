"""Prefetches directory metadata while scrypt derives the key.

`lister.ChangeDetector` uses it instead of listing the folders again. It is never older than the
command.
"""

import os
import threading
import time

from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.fs.lstat import FolderListing, list_folders
from nightsafe.scanner.lister import SLICE_ENTRIES, Lister

FOLDERS_AT_A_TIME = 16
MAX_ENTRIES = 100_000
"""About 10 MB in memory."""


class Prefetch:
    """Folder listings taken at `began`, in nanoseconds since 1970, or shortly after."""

    def __init__(self) -> None:
        self.began = time.time_ns()
        self._found: dict[bytes, FolderListing] = {}

    def fetch(
        self, folders: list[bytes], entry_filter: EntryFilter | None, stop: threading.Event
    ) -> None:
        """List folders and all below them whose entries are certainly all included.

        Ends when all is listed, when the limit is reached, or when `stop` is set.
        """
        lister, todo, entries = Lister(entry_filter), list(folders), 0
        while todo and entries < MAX_ENTRIES and not stop.is_set():
            paths = todo[-FOLDERS_AT_A_TIME:]
            del todo[-FOLDERS_AT_A_TIME:]
            for path, found in zip(paths, list_folders(paths, SLICE_ENTRIES), strict=True):
                if isinstance(found, tuple) and lister.includes_all(found[0]):
                    self._found[path] = found
                    entries += found[0].count(b"\0") + 1
                    lead = os.path.join(path, b"")
                    todo += [lead + name for name in found[2]]

    def take(self, path: bytes) -> FolderListing:
        """Return and forget the listing of a fully included folder; None if there is none."""
        return self._found.pop(path, None)

    def forget(self) -> None:
        """Drop all listings."""
        self._found.clear()
