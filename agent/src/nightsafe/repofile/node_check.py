"""Checks nodes: a sound one is enough to restore what was backed up.

The bytes of a tree may be just those that were stored, and still describe nothing that can be
made. Restore, check and verification ask here, so that they say the same.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nightsafe.amounts import show_count
from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.repofile.index import Index
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node

KINDS = ("file", "dir", "symlink", "dev", "chardev", "fifo", "socket")
_NO_ENTRIES = (b"", b".", b"..")


class Fault(NamedTuple):
    """What is the matter with a node, for people. If it `is_fatal` nothing can be made of it."""

    text: str
    is_fatal: bool = True


def means_an_entry(name: bytes) -> bool:
    """Whether a name means an entry of its own folder and nothing else."""
    return name not in _NO_ENTRIES and b"/" not in name and b"\0" not in name


class Judge:
    """Finds what is the matter with nodes, by what the index says of their blobs."""

    def __init__(self, index: Index) -> None:
        self._locate = index.locations(BlobKind.DATA).get

    def fault(self, node: Node) -> Fault | None:
        """None for a sound node. Names, and blobs that are in no index, are not looked at."""
        match node.type:
            case "file":
                return self._fault_of_file(node)
            case "dir" if node.subtree is None:
                return Fault("the snapshot does not say what is in it")
            case "symlink" if not node.link_target:
                return Fault("the snapshot does not say where the link leads")
            case kind if kind not in KINDS:
                return Fault(f"nothing is known here of entries of the kind {kind[:40]!a}")
        return None

    def missing(self, node: Node) -> list[bytes]:
        """The blobs of a node that are in no index."""
        return [blob for blob in node.content or () if self._locate(blob) is None]

    def _fault_of_file(self, node: Node) -> Fault | None:
        if node.content is None:
            return Fault("the snapshot does not say what is in it")
        size = 0
        for blob in node.content:
            found = self._locate(blob)
            if found is None:
                return None
            size += found.plain_length or found.length - OVERHEAD
        if size == node.size:
            return None
        text = f"its parts have {show_count(size, 'byte')}, and the snapshot says {node.size}"
        return Fault(text, is_fatal=not size)


def misnamed(nodes: Iterable[Node]) -> Iterator[str]:
    """What is the matter with the names in a tree, for people."""
    seen: set[bytes] = set()
    for node in nodes:
        shown = f"the name {node.name[:80].decode('utf-8', 'backslashreplace')!a}"
        if not node.name:
            yield "an entry has no name"
        elif not means_an_entry(node.name):
            yield f"{shown} is not allowed"
        elif node.name in seen:
            yield f"{shown} is there twice"
        seen.add(node.name)
