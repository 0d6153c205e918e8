"""Looks up what the last backup knew of a path, in the cache or in its snapshot's tree.

The same sources may have been written otherwise then: as relative paths, which stand in a snapshot
by their own names, or as absolute ones, which stand below their ancestors. The cache knows folders
by their whole paths; in a tree a path is looked for wherever it may stand.
"""

import os
from collections.abc import Callable, Iterable
from functools import cached_property

from nightsafe.archiver.folder import Folder
from nightsafe.fs.files import IS_WINDOWS, current_folder, lstat, rooted
from nightsafe.scanner.fingerprint import Fingerprint
from nightsafe.scanner.parent_tree import ParentTree
from nightsafe.scanner.sources import SourcePlan, components
from nightsafe.scanner.tree_cache import FolderRecord, TreeCache

ELSEWHERE = (
    "The last backup of these paths was given them in another way, relative or absolute; files are "
    "compared with it all the same."
)


class ParentLookup:
    """Looks up paths. `load` reads a tree of the last snapshot; with a cache it is not called.

    `is_elsewhere`: something was found where it does not stand now. `lone` are the cache's keys for
    folders of lone files in the root tree.
    """

    def __init__(
        self, cache: TreeCache | None, fingerprint: Fingerprint, load: Callable[[bytes], bytes]
    ) -> None:
        self.is_elsewhere = False
        self.lone: set[bytes] = set()
        self._cache = cache
        self._print = fingerprint
        self._load = load
        self._loaded: dict[bytes, ParentTree] = {}
        self._root = b""
        self._is_written_otherwise = False

    @cached_property
    def _here(self) -> bytes:
        return current_folder()

    @cached_property
    def _before(self) -> bytes:
        """What stands before a clean relative path; empty where it is not as simple as that."""
        return b"" if IS_WINDOWS else os.path.join(self._here, b"")

    def key(self, path: bytes) -> bytes:
        """What stands in the cache for a folder, however its path is written."""
        return self._print.of_path(self._whole(path))

    def key_on_the_way(self, path: bytes) -> bytes:
        """The same of a folder that is only on the way to sources; empty for the top of all."""
        return self._print.of_path(b"on the way\0" + (self._whole(path) if path else b""))

    def _whole(self, path: bytes) -> bytes:
        first = path[:1]
        if first == b"/":
            return path
        if first != b"." and path and self._before:
            return self._before + path  # asked of every folder: `rooted` takes five times as long
        return rooted(path, self._here)

    def record(self, key: bytes) -> FolderRecord | None:
        """What the cache says of a folder."""
        return self._cache.get(key) if self._cache is not None else None

    def start(self, root: bytes, names: Iterable[bytes]) -> None:
        """Begin with the root tree of the last snapshot, or none, and what is planned for it."""
        self._root = root if self._cache is None else b""
        before = self.tree(self._root)
        self._is_written_otherwise = not any(name in before for name in names)

    def tree(self, tree: bytes) -> ParentTree:
        """A folder on the way, as it was; nothing where the cache tells of folders."""
        if not tree or self._cache is not None:
            return ParentTree(b"", [])
        if tree not in self._loaded:
            self._loaded[tree] = ParentTree(self._load(tree), [])
        return self._loaded[tree]

    def subtree(self, before: ParentTree, plan: SourcePlan, name: bytes) -> bytes:
        """The tree that a source had; it is to be called `name` in a folder that was `before`."""
        tree = before.subtree(name)
        if tree or plan.path is None:
            return tree
        if self._cache is not None:
            record = self.record(self.key_on_the_way(plan.path))
            return record.tree if record is not None else b""
        if self._root and (found := self._find(plan.path)):
            return self.tree(found[0]).subtree(found[1])
        if self._root and self._is_written_otherwise and not plan.is_listed:
            self.is_elsewhere = True  # for all we know, it was given as what is in it
            return self._root
        return b""

    def around(self, folder: Folder, before: ParentTree, name: bytes, path: bytes) -> bytes:
        """The tree that holds what the lone file at `path` was; it is to be called `name` in
        `folder`."""
        above = os.path.dirname(self._whole(path))
        key = self.key_on_the_way(above)
        if folder.above is None:
            self.lone.add(key)
        if self._cache is not None:
            record = self.record(key) or self.record(self.key(above))
            return record.tree if record is not None else folder.former
        if name in before or not self._root:
            return folder.former
        found = self._find(path)
        return found[0] if found else folder.former

    def _find(self, path: bytes) -> tuple[bytes, bytes] | None:
        """Where the root tree has a path, or the longest end of one: the tree, and the name there.

        Where the tree also has what is planned, the inode must speak for it.
        """
        parts = components(self._whole(path), os.path)
        try:
            inode = lstat(path).st_ino
        except OSError:  # it is said where it is read
            return None
        for start in range(len(parts)):
            tree = self._root
            for part in parts[start:-1]:
                tree = self.tree(tree).subtree(part) if tree else b""
            there = self.tree(tree).inode(parts[-1])
            if there is not None and (self._is_written_otherwise or there == inode):
                self.is_elsewhere = True
                return tree, parts[-1]
        return None
