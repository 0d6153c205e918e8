"""Walking a snapshot's tree, as restore, check and listing need it: without recursion."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from nightsafe.errors import DamagedError, RestoreError
from nightsafe.fetch import BlobReader
from nightsafe.tree import Node


@dataclass(frozen=True)
class Found:
    """One entry: its path from the root of the snapshot, beginning with a slash."""

    path: bytes
    node: Node


class Chosen(Protocol):
    """What of a snapshot is wanted; the paths begin with a slash."""

    def wants(self, path: bytes) -> bool:
        """Whether the entry itself is wanted."""

    def leads_to(self, path: bytes) -> bool:
        """Whether something wanted may lie below the directory `path`, or it is wanted itself."""


class Selection:
    """Which paths of a snapshot are wanted; everything when none is named."""

    def __init__(self, paths: Iterable[bytes] = ()) -> None:
        self.paths = [b"/" + path.strip(b"/") for path in paths]
        if b"/" in self.paths:
            self.paths = []

    def wants(self, path: bytes) -> bool:
        """Whether the entry is wanted itself, or lies below one that is."""
        return not self.paths or any(path == p or path.startswith(p + b"/") for p in self.paths)

    def leads_to(self, path: bytes) -> bool:
        """Whether something wanted may lie below the directory `path`."""
        return self.wants(path) or any(p.startswith(path + b"/") for p in self.paths)


def walk(
    reader: BlobReader,
    tree: bytes,
    selection: Chosen | None = None,
    on_damage: Callable[[bytes, DamagedError], None] | None = None,
) -> Iterator[Found]:
    """Every wanted entry below a root tree, parents before children, in stored order.

    A damaged subtree is told to `on_damage` and left out, or raised if there is none.
    """
    selection = selection or Selection()
    stack = [iter(_entries(reader, b"", tree, on_damage))]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        if selection.wants(found.path):
            yield found
        if found.node.subtree is not None and selection.leads_to(found.path):
            stack.append(iter(_entries(reader, found.path, found.node.subtree, on_damage)))


def _entries(
    reader: BlobReader,
    path: bytes,
    tree: bytes,
    on_damage: Callable[[bytes, DamagedError], None] | None,
) -> list[Found]:
    try:
        return [Found(path + b"/" + node.name, node) for node in reader.load_tree(tree)]
    except DamagedError as error:
        if on_damage is None:
            raise
        on_damage(path, error)
        return []


def require_found(found: int, selection: Selection) -> None:
    """RestoreError when named paths matched nothing."""
    if not found and selection.paths:
        named = ", ".join(ascii(path.decode("utf-8", "replace")) for path in selection.paths[:3])
        raise RestoreError(
            f"The snapshot holds nothing at {named}; `nightsafe ls` shows what it holds."
        )
