"""Filters trees: which entries are restored, and why others are not."""

from collections.abc import Iterator
from typing import NamedTuple

from nightsafe.errors import DamagedError
from nightsafe.file_restorer.finisher import Listener
from nightsafe.repofile.node_check import KINDS, is_entry_name
from nightsafe.repofile.tree import Node, Unreadable
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.tree_walker import Selection
from nightsafe.target.directory import Fold, are_safe_names, name_problem


class FilteredTree(NamedTuple):
    """The `nodes` whose names can be used, out of those `listed` in the tree."""

    nodes: list[Node]
    listed: list[Node]
    is_read: bool

    @property
    def is_whole(self) -> bool:
        """Whether all entries were read and understood.

        If so, a name that is not listed was not in the folder.
        """
        return self.is_read and _are_understood(self.listed)


_UNREADABLE = FilteredTree([], [], is_read=False)


class TreeFilter:
    """Reads trees. Paths are relative to the target; `fold` maps equivalent names to one."""

    def __init__(
        self, reader: BlobReader, *, selection: Selection, fold: Fold, listener: Listener
    ) -> None:
        self._reader = reader
        self._selection = selection
        self._fold = fold
        self._reporter = listener

    def filter_tree(self, path: bytes, tree: bytes | None) -> FilteredTree:
        """Return the usable entries of the folder `path`, and report all others."""
        if tree is None:
            self._reporter.failed(path, "the snapshot does not say what is in it")
            return _UNREADABLE
        try:
            nodes, unreadable = self._reader.read_tree(tree)
        except DamagedError as error:
            self._reporter.failed(path, f"what is in it is lost. {error}")
            return _UNREADABLE
        for entry in unreadable:
            self._report_unreadable(path, entry)
        names = [node.name for node in nodes]
        different = set(map(self._fold, names))
        is_plain = are_safe_names(names) and len(different) == len(names)
        sound = nodes if is_plain else list(self._restorable(path, nodes))
        return FilteredTree(sound, nodes, is_read=not unreadable)

    def _report_unreadable(self, path: bytes, entry: Unreadable) -> None:
        if not entry.name:
            self._reporter.failed(path, f"{entry}; nor can its name, and it was not restored")
            return
        inner = path + b"/" + entry.name
        if self._selection.includes(inner) or self._selection.may_contain(inner):
            self._reporter.failed(inner, f"it was not restored: {entry}")

    def _restorable(self, path: bytes, nodes: list[Node]) -> Iterator[Node]:
        """Yield the nodes that can be restored, and report the others."""
        seen: dict[bytes, bytes] = {}
        for node in nodes:
            problem = name_problem(node.name) or self._clash(path, node.name, seen)
            if problem:
                self._reporter.failed(path, problem)
            else:
                yield node

    def _clash(self, path: bytes, name: bytes, seen: dict[bytes, bytes]) -> str:
        """Explain why a name conflicts with those in `seen`; else add it there."""
        inner = path + b"/" + name
        if not (self._selection.includes(inner) or self._selection.may_contain(inner)):
            return ""
        first = seen.get(key := self._fold(name))
        if first is None:
            seen[key] = name
            return ""
        if first == name:
            return f"the name {name[:80]!a} is not allowed there twice; only the first was restored"
        return (
            f"{name[:80]!a} was not restored: to this disk its name is the same as {first[:80]!a}, "
            "which was. Restore it by itself, with --include, into another folder"
        )


def _are_understood(nodes: list[Node]) -> bool:
    """Whether all names are distinct and all types are known."""
    names = {node.name for node in nodes}
    kinds = {node.type for node in nodes}
    return len(names) == len(nodes) and kinds <= set(KINDS) and all(map(is_entry_name, names))
