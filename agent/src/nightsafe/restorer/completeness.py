"""Determines which folders a snapshot holds completely.

Above the paths that were backed up a snapshot holds folders in part. It lists those paths, but not
where they are in its tree: a relative path is stored by its last components, and ``.`` is the root
itself. So each path is looked up at every place where it may be, and a folder is complete only if
it is so for every possibility.
"""

import enum
import os
from collections.abc import Collection, Iterable

from nightsafe.errors import DamagedError
from nightsafe.fs.windows import stored_path
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.blob_reader import BlobReader


class Coverage(enum.Enum):
    """How much of a folder a snapshot holds."""

    WHOLE = enum.auto()
    PART = enum.auto()
    UNKNOWN = enum.auto()


class Completeness:
    """Tells how much of each folder a snapshot holds. Paths are those in the snapshot."""

    def __init__(self, reader: BlobReader, snapshot: Snapshot) -> None:
        self._reader = reader
        self._root = snapshot.tree
        self._candidates = self._find(snapshot.paths)

    def of(self, path: bytes) -> Coverage:
        """Return how much of the folder `path` the snapshot holds; the root is empty."""
        may_be_whole = not self._candidates
        for candidates in self._candidates:
            inside = [
                path == candidate or path.startswith(candidate + b"/") for candidate in candidates
            ]
            if all(inside):
                return Coverage.WHOLE
            may_be_whole = may_be_whole or any(inside)
        return Coverage.UNKNOWN if may_be_whole else Coverage.PART

    def _find(self, paths: Collection[str]) -> list[list[bytes]]:
        """Return the possible places of each source; empty if they are unknown."""
        top = self._names_in(self._root)
        sources = [names for names in map(_names, paths) if names is not None]
        if top is None or len(sources) != len(paths):
            return []
        if [] not in sources and not top <= {name for names in sources for name in names}:
            # Names that no path explains come from a folder given as `.`; with several such folders
            # it is unknown which.
            return [[b""]] if len(sources) == 1 else []
        found = [self._places_of(names) for names in sources]
        return [candidates for candidates in found if candidates]

    def _places_of(self, names: list[bytes]) -> list[bytes]:
        if not names:
            return [b""]
        ends = [names[start:] for start in range(len(names))]
        return [b"/" + b"/".join(end) for end in ends if self._may_hold(end)]

    def _may_hold(self, names: Iterable[bytes]) -> bool:
        """Whether the snapshot has, or may have had, an entry at this path."""
        tree: bytes | None = self._root
        for name in names:
            if tree is None:
                return False  # a file, or a folder without a tree
            try:
                nodes, unreadable = self._reader.read_tree(tree)
            except DamagedError:
                return True
            found = next((node for node in nodes if node.name == name), None)
            if found is None:
                return bool(unreadable)
            tree = found.subtree
        return True

    def _names_in(self, tree: bytes) -> set[bytes] | None:
        """Return the names in a tree; None if it is empty or not entirely readable."""
        try:
            nodes, unreadable = self._reader.read_tree(tree)
        except DamagedError:
            return None
        return None if unreadable or not nodes else {node.name for node in nodes}


def _names(source: str) -> list[bytes] | None:
    """Split a backed-up path; None if its names may be stored differently."""
    path = stored_path(os.fsencode(source))
    if not path.startswith(b"/") or "\ufffd" in source:
        return None
    return [name for name in path.split(b"/") if name]
