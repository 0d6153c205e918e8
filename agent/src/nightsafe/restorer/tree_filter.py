"""Filters a tree: which entries are restored, and what is said of the others."""

from collections.abc import Iterator
from typing import NamedTuple

from nightsafe.errors import DamagedError
from nightsafe.file_restorer.finisher import Listener
from nightsafe.repofile.node_check import KINDS, means_an_entry
from nightsafe.repofile.tree import Node, Unreadable
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.tree_walker import Chosen
from nightsafe.target.directory import Fold, are_safe_names, refusal


class FilteredTree(NamedTuple):
    """The `nodes` that can be made by their names, of those that the list holds."""

    nodes: list[Node]
    listed: list[Node]
    is_read: bool

    @property
    def is_whole(self) -> bool:
        """Whether all entries were read and understood.

        If so, what the list does not name was not in the folder.
        """
        return self.is_read and _are_understood(self.listed)


_LOST = FilteredTree([], [], is_read=False)


class TreeFilter:
    """Reads trees. The paths begin at the target; `fold` says which names are one to the disk."""

    def __init__(
        self, reader: BlobReader, *, chosen: Chosen, fold: Fold, listener: Listener
    ) -> None:
        self._reader = reader
        self._chosen = chosen
        self._fold = fold
        self._tell = listener

    def sift(self, path: bytes, tree: bytes | None) -> FilteredTree:
        """The entries of the folder `path`; of all others it is told why they are not made."""
        if tree is None:
            self._tell.failed(path, "the snapshot does not say what is in it")
            return _LOST
        try:
            nodes, unreadable = self._reader.read_tree(tree)
        except DamagedError as error:
            self._tell.failed(path, f"what is in it is lost. {error}")
            return _LOST
        for entry in unreadable:
            self._tell_unreadable(path, entry)
        names = [node.name for node in nodes]
        different = set(map(self._fold, names))
        is_plain = are_safe_names(names) and len(different) == len(names)
        sound = nodes if is_plain else list(self._sound(path, nodes))
        return FilteredTree(sound, nodes, is_read=not unreadable)

    def _tell_unreadable(self, path: bytes, entry: Unreadable) -> None:
        if not entry.name:
            self._tell.failed(path, f"{entry}; nor can its name, and it was not restored")
            return
        inner = path + b"/" + entry.name
        if self._chosen.wants(inner) or self._chosen.leads_to(inner):
            self._tell.failed(inner, f"it was not restored: {entry}")

    def _sound(self, path: bytes, nodes: list[Node]) -> Iterator[Node]:
        """Those of the nodes that can be made; of the others it is said why not."""
        seen: dict[bytes, bytes] = {}
        for node in nodes:
            problem = refusal(node.name) or self._clash(path, node.name, seen)
            if problem:
                self._tell.failed(path, problem)
            else:
                yield node

    def _clash(self, path: bytes, name: bytes, seen: dict[bytes, bytes]) -> str:
        """Why a name cannot stand beside those that were `seen`, to which it is added."""
        inner = path + b"/" + name
        if not (self._chosen.wants(inner) or self._chosen.leads_to(inner)):
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
    """Whether each has a name of its own and is of a kind that is known."""
    names = {node.name for node in nodes}
    kinds = {node.type for node in nodes}
    return len(names) == len(nodes) and kinds <= set(KINDS) and all(map(means_an_entry, names))
