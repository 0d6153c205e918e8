"""Lists the wanted entries of a folder with their `lstat` data."""

import os
import stat
from collections.abc import Callable, Iterable
from typing import Any

from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.fs.files import list_names
from nightsafe.fs.lstat import Survey, look, survey
from nightsafe.fs.status import Seen
from nightsafe.scanner.fingerprint import Fingerprint

SLICE_ENTRIES = 1024
"""A folder of more entries than this is dealt with in slices, so that memory is bounded."""

Entry = tuple[bytes, bytes]
Problem = tuple[str, bytes, str]
Probe = tuple[int, bytes, bytes]
"""A folder to be compared: its number, its path, and the fingerprint that it had."""
Same = list[tuple[int, list[bytes]]]
"""Folders that look as they did: their numbers, and the names of folders in them."""


class Lister:
    """Lists of folders what `wants` wants; None stands for everything."""

    def __init__(self, wants: EntryFilter | None) -> None:
        self._wants = wants

    def takes_all(self, names: bytes) -> bool:
        """Whether it is sure that all in a folder are wanted; the names have zeros between them."""
        return self._wants is None or self._wants.wants_all(names)

    def of(self, entries: list[Entry], problems: list[Problem] | None = None) -> list[Seen]:
        """The wanted entries (name, path) of one folder with what lstat says of them.

        What fails is added to `problems`; OSError if there are none.
        """
        seen: list[Seen] = []
        takes_all = self.takes_all(b"\0".join([name for name, _ in entries]))
        wants = None if takes_all else self._wants
        statuses = look([path for _, path in entries])
        if wants is None and int not in set(map(type, statuses)):
            # The usual case, and most of what Python does in an unchanged backup.
            plain: Iterable[tuple[Entry, Any]] = zip(entries, statuses, strict=True)
            return [(name, path, status) for (name, path), status in plain]
        for (name, path), status in zip(entries, statuses, strict=True):
            if isinstance(status, int):
                error = OSError(status, os.strerror(status))
                if problems is None:
                    raise error
                problems.append(problem_of(path, error))
            elif wants is None or wants(path, name, status):
                seen.append((name, path, status))
        return seen


class ChangeDetector:
    """Compares folders with what the last backup from here found; threads may share it."""

    def __init__(
        self,
        wants: EntryFilter | None,
        fingerprint: Fingerprint,
        ahead: Callable[[bytes], Survey] = lambda _: None,
    ) -> None:
        """`ahead` gives what was seen already of a folder in which all is wanted."""
        self._sight = Lister(wants)
        self._fingerprint = fingerprint
        self._ahead = ahead

    def probe(self, folders: list[Probe]) -> Same:
        """Those of the folders that look as they did; one that cannot be listed does not."""
        same = []
        ahead = {path: self._ahead(path) for _, path, _ in folders}
        others = [path for path, found in ahead.items() if found is None]
        surveys = dict(zip(others, survey(others, SLICE_ENTRIES), strict=True))
        names = [found[0] for found in surveys.values() if isinstance(found, tuple)]
        takes_all = self._sight.takes_all(b"\0".join(names))  # of all folders, by one question
        for number, path, expected in folders:
            is_sure = takes_all or path not in surveys
            found = surveys[path] if path in surveys else ahead[path]
            if isinstance(found, int):
                continue
            if found is not None and (is_sure or self._sight.takes_all(found[0])):
                fingerprint, below = self._fingerprint.of_record(found[1]), found[2]
            else:
                try:
                    fingerprint, below = self._slowly(path)
                except OSError:
                    continue
            if fingerprint == expected:
                same.append((number, below))
        return same

    def _slowly(self, path: bytes) -> tuple[bytes, list[bytes]]:
        """The fingerprint of a folder, and what folders are in it; entry by entry."""
        entries = list_folder(path)
        prints, below = [], []
        for start in range(0, len(entries) or 1, SLICE_ENTRIES):
            seen = self._sight.of(entries[start : start + SLICE_ENTRIES])
            prints.append(self._fingerprint.of(seen))
            below += [name for name, _, status in seen if stat.S_ISDIR(status.st_mode)]
        return prints[0] if len(prints) == 1 else self._fingerprint.of_slices(prints), below


def list_folder(path: bytes) -> list[Entry]:
    """Names and paths of what is in a folder, in the order of the names; OSError if it fails."""
    lead = os.path.join(path, b"")
    return [(name, lead + name) for name in sorted(list_names(path))]


def problem_of(path: bytes, error: OSError) -> Problem:
    """What to say of an entry that could not be read."""
    if isinstance(error, FileNotFoundError):
        return "vanished", path, "it vanished while the backup ran; it is not in this snapshot"
    reason = (error.strerror or "it cannot be read").lower()
    return "unreadable", path, f"{reason}; it is not in this snapshot"
