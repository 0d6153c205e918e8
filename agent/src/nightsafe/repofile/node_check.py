"""Checks that a node suffices to restore its entry.

A tree may hold exactly the bytes that were stored and still describe something that cannot be
restored. Restore, check and verification share these checks, so they agree.
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
    """A fault in a node, in words. If it `is_fatal`, nothing of the entry can be restored."""

    text: str
    is_fatal: bool = True


def is_entry_name(name: bytes) -> bool:
    """Whether a name denotes an entry of its own folder and nothing else."""
    return name not in _NO_ENTRIES and b"/" not in name and b"\0" not in name


class NodeChecker:
    """Finds faults in nodes, using what the index says of their blobs."""

    def __init__(self, index: Index) -> None:
        self._locate = index.locations(BlobKind.DATA).get

    def fault(self, node: Node) -> Fault | None:
        """Return a node's fault, or None. Names and blobs missing in the index are ignored."""
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
        """Return the node's blobs that are in no index."""
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


def name_faults(nodes: Iterable[Node]) -> Iterator[str]:
    """Yield the faults in the names of a tree, in words."""
    seen: set[bytes] = set()
    for node in nodes:
        shown = f"the name {node.name[:80].decode('utf-8', 'backslashreplace')!a}"
        if not node.name:
            yield "an entry has no name"
        elif not is_entry_name(node.name):
            yield f"{shown} is not allowed"
        elif node.name in seen:
            yield f"{shown} is there twice"
        seen.add(node.name)
