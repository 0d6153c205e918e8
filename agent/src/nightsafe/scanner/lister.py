"""Lists the included entries of a folder with their `lstat` data."""

import os
import stat
from collections.abc import Callable, Iterable
from typing import Any

from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.fs.files import list_names
from nightsafe.fs.lstat import FolderListing, list_folders, lstat_all
from nightsafe.fs.status import StatEntry
from nightsafe.scanner.fingerprint import Fingerprint

SLICE_ENTRIES = 1024
"""Folders with more entries are processed in slices, to bound memory."""

Entry = tuple[bytes, bytes]
Problem = tuple[str, bytes, str]
Probe = tuple[int, bytes, bytes]
"""A folder to compare: its number, its path, and its former fingerprint."""
Unchanged = list[tuple[int, list[bytes]]]
"""Unchanged folders: their numbers, and the names of their subfolders."""


class Lister:
    """Lists the entries that `entry_filter` includes; all entries if it is None."""

    def __init__(self, entry_filter: EntryFilter | None) -> None:
        self._entry_filter = entry_filter

    def includes_all(self, names: bytes) -> bool:
        """Return True if every name (NUL-separated) is certainly included."""
        return self._entry_filter is None or self._entry_filter.includes_all(names)

    def stat_entries(
        self, entries: list[Entry], problems: list[Problem] | None = None
    ) -> list[StatEntry]:
        """Return the included entries (name, path) of a folder with their `lstat` data.

        Failures are appended to `problems`; without that they are raised as OSError.
        """
        seen: list[StatEntry] = []
        includes_all = self.includes_all(b"\0".join([name for name, _ in entries]))
        entry_filter = None if includes_all else self._entry_filter
        statuses = lstat_all([path for _, path in entries])
        if entry_filter is None and int not in set(map(type, statuses)):
            # The usual case; an unchanged backup spends most of its Python time here.
            plain: Iterable[tuple[Entry, Any]] = zip(entries, statuses, strict=True)
            return [(name, path, status) for (name, path), status in plain]
        for (name, path), status in zip(entries, statuses, strict=True):
            if isinstance(status, int):
                error = OSError(status, os.strerror(status))
                if problems is None:
                    raise error
                problems.append(problem_of(path, error))
            elif entry_filter is None or entry_filter(path, name, status):
                seen.append((name, path, status))
        return seen


class ChangeDetector:
    """Compares folders with what the last backup from here found. Thread-safe."""

    def __init__(
        self,
        entry_filter: EntryFilter | None,
        fingerprint: Fingerprint,
        prefetched: Callable[[bytes], FolderListing] = lambda _: None,
    ) -> None:
        """`prefetched` returns the listing of a folder whose entries are all included, if known."""
        self._lister = Lister(entry_filter)
        self._fingerprint = fingerprint
        self._prefetched = prefetched

    def probe(self, folders: list[Probe]) -> Unchanged:
        """Return the unchanged ones of the folders; one that cannot be listed is changed."""
        same = []
        prefetched = {path: self._prefetched(path) for _, path, _ in folders}
        unlisted = [path for path, found in prefetched.items() if found is None]
        listings = dict(zip(unlisted, list_folders(unlisted, SLICE_ENTRIES), strict=True))
        names = [found[0] for found in listings.values() if isinstance(found, tuple)]
        includes_all = self._lister.includes_all(b"\0".join(names))  # of all folders at once
        for number, path, expected in folders:
            is_sure = includes_all or path not in listings
            found = listings[path] if path in listings else prefetched[path]
            if isinstance(found, int):
                continue
            if found is not None and (is_sure or self._lister.includes_all(found[0])):
                fingerprint, below = self._fingerprint.of_record(found[1]), found[2]
            else:
                try:
                    fingerprint, below = self._entry_by_entry(path)
                except OSError:
                    continue
            if fingerprint == expected:
                same.append((number, below))
        return same

    def _entry_by_entry(self, path: bytes) -> tuple[bytes, list[bytes]]:
        """Return a folder's fingerprint and subfolders, filtering each entry."""
        entries = list_folder(path)
        prints, below = [], []
        for start in range(0, len(entries) or 1, SLICE_ENTRIES):
            seen = self._lister.stat_entries(entries[start : start + SLICE_ENTRIES])
            prints.append(self._fingerprint.of(seen))
            below += [name for name, _, status in seen if stat.S_ISDIR(status.st_mode)]
        return prints[0] if len(prints) == 1 else self._fingerprint.of_slices(prints), below


def list_folder(path: bytes) -> list[Entry]:
    """Return the names and paths in a folder, sorted by name; OSError if it cannot be listed."""
    lead = os.path.join(path, b"")
    return [(name, lead + name) for name in sorted(list_names(path))]


def problem_of(path: bytes, error: OSError) -> Problem:
    """Describe why an entry could not be read."""
    if isinstance(error, FileNotFoundError):
        return "vanished", path, "it vanished while the backup ran; it is not in this snapshot"
    reason = (error.strerror or "it cannot be read").lower()
    return "unreadable", path, f"{reason}; it is not in this snapshot"
