"""Tells which folders of a snapshot are known to be whole.

Above the paths that were backed up a snapshot holds folders in part. It says which paths those
were, but not where in it they stand: a path that was given relatively stands there by its last
names, one that was given as `.` is the root itself. So each is looked for in all places where it
may be, and a folder is whole only if it is so whichever of them is the right one.
"""

import enum
import os
from collections.abc import Collection, Iterable

from nightsafe.errors import DamagedError
from nightsafe.fs.windows import stored_path
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.blob_reader import BlobReader


class Held(enum.Enum):
    """How much of a folder a snapshot holds."""

    WHOLE = enum.auto()
    PART = enum.auto()
    UNKNOWN = enum.auto()


class Completeness:
    """Knows how much of its folders a snapshot holds. Paths are those in the snapshot."""

    def __init__(self, reader: BlobReader, snapshot: Snapshot) -> None:
        self._reader = reader
        self._root = snapshot.tree
        self._places = self._find(snapshot.paths)

    def of(self, path: bytes) -> Held:
        """How much of the folder `path`, empty for the root, is in the snapshot."""
        may_be_whole = not self._places
        for places in self._places:
            inside = [path == place or path.startswith(place + b"/") for place in places]
            if all(inside):
                return Held.WHOLE
            may_be_whole = may_be_whole or any(inside)
        return Held.UNKNOWN if may_be_whole else Held.PART

    def _find(self, paths: Collection[str]) -> list[list[bytes]]:
        """For each source the places where it may stand; empty if nothing can be told."""
        top = self._names_in(self._root)
        sources = [names for names in map(_names, paths) if names is not None]
        if top is None or len(sources) != len(paths):
            return []
        if [] not in sources and not top <= {name for names in sources for name in names}:
            # What no path explains was in a folder that was given as `.`; in which of several
            # is not to be seen.
            return [[b""]] if len(sources) == 1 else []
        found = [self._places_of(names) for names in sources]
        return [places for places in found if places]

    def _places_of(self, names: list[bytes]) -> list[bytes]:
        if not names:
            return [b""]
        ends = [names[start:] for start in range(len(names))]
        return [b"/" + b"/".join(end) for end in ends if self._may_hold(end)]

    def _may_hold(self, names: Iterable[bytes]) -> bool:
        """Whether the snapshot has an entry at this path, or may have had."""
        tree: bytes | None = self._root
        for name in names:
            if tree is None:
                return False  # a file, or a folder of which nothing is known
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
        """None unless all of them can be read, and there are some."""
        try:
            nodes, unreadable = self._reader.read_tree(tree)
        except DamagedError:
            return None
        return None if unreadable or not nodes else {node.name for node in nodes}


def _names(source: str) -> list[bytes] | None:
    """The names on the way to a path that was backed up; None if they may be others there."""
    path = stored_path(os.fsencode(source))
    if not path.startswith(b"/") or "\ufffd" in source:
        return None
    return [name for name in path.split(b"/") if name]
