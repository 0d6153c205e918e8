"""Walks a snapshot's tree for restore, check and ls, without recursion."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from nightsafe.errors import DamagedError, RestoreError
from nightsafe.filters.patterns import Patterns
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader


class Found(NamedTuple):
    """One entry: its path from the root of the snapshot, beginning with a slash."""

    path: bytes
    node: Node


class Chosen(Protocol):
    """What of a snapshot is wanted; the paths begin with a slash."""

    paths: list[bytes]
    """What was asked for, as the user wrote it; empty for everything."""
    wants_all: bool
    """Whether nothing at all is left out, so that no path has to be asked about."""

    def wants(self, path: bytes) -> bool:
        """Whether the entry itself is wanted."""

    def leads_to(self, path: bytes) -> bool:
        """Whether something wanted may lie below the directory `path`, or it is wanted itself."""


class PatternSelection:
    """Paths chosen by patterns: all of `include` if there is none, but those of `exclude`."""

    def __init__(
        self,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        *,
        include_any_case: Iterable[str] = (),
        exclude_any_case: Iterable[str] = (),
    ) -> None:
        wanted, wanted_any_case = list(include), list(include_any_case)
        self.paths = [t.encode("utf-8", "surrogateescape") for t in (*wanted, *wanted_any_case)]
        # Each entry of a snapshot is asked about several times, mostly where there are none.
        self._include = _any_of(wanted, wanted_any_case)
        self._exclude = _any_of(exclude, exclude_any_case)
        self.wants_all = not self.paths and not self._exclude

    def wants(self, path: bytes) -> bool:
        """Whether an include pattern fits the entry or a folder above it, and no other."""
        is_included = not self.paths or any(p.matches(path) for p in self._include)
        return is_included and not self._excludes(path)

    def leads_to(self, path: bytes) -> bool:
        """Whether something wanted may lie below the directory `path`, or it is wanted itself."""
        if self._excludes(path):
            return False
        return self.wants(path) or any(p.may_match_below(path) for p in self._include)

    def _excludes(self, path: bytes) -> bool:
        return bool(self._exclude) and any(p.matches(path) for p in self._exclude)


def _any_of(patterns: Iterable[str], any_case: Iterable[str]) -> list[Patterns]:
    both = (Patterns(patterns), Patterns(any_case, ignore_case=True))
    return [patterns for patterns in both if patterns]


class Selection:
    """Which paths of a snapshot are wanted; everything when none is named."""

    def __init__(self, paths: Iterable[bytes] = ()) -> None:
        self.paths = [b"/" + path.strip(b"/") for path in paths]
        if b"/" in self.paths:
            self.paths = []
        self.wants_all = not self.paths

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

    A damaged subtree or entry is told to `on_damage` and left out, or raised if there is none.
    """

    def listed(path: bytes, tree: bytes) -> list[Node]:
        return _nodes(reader, path, tree, on_damage)

    return walk_through(listed, tree, selection or Selection())


def walk_through(
    listed: Callable[[bytes, bytes], list[Node]], tree: bytes, selection: Chosen
) -> Iterator[Found]:
    """As `walk`, where `listed` gives the nodes of a folder, by its path and its tree."""
    stack = [(b"", iter(listed(b"", tree)))]
    while stack:
        above, nodes = stack[-1]
        node = next(nodes, None)
        if node is None:
            stack.pop()
            continue
        found = Found(above + b"/" + node.name, node)
        if selection.wants(found.path):
            yield found
        if node.subtree is not None and selection.leads_to(found.path):
            stack.append((found.path, iter(listed(found.path, node.subtree))))


def _nodes(
    reader: BlobReader,
    path: bytes,
    tree: bytes,
    on_damage: Callable[[bytes, DamagedError], None] | None,
) -> list[Node]:
    if on_damage is None:
        return reader.load_tree(tree)
    try:
        nodes, unreadable = reader.read_tree(tree)
    except DamagedError as error:
        on_damage(path, error)
        return []
    for entry in unreadable:
        on_damage(path + b"/" + entry.name, DamagedError(f"It is not known: {entry}."))
    return nodes


def require_found(found: int, selection: Chosen) -> None:
    """RestoreError when named paths matched nothing."""
    if not found and selection.paths:
        named = ", ".join(ascii(path.decode("utf-8", "replace")) for path in selection.paths[:3])
        raise RestoreError(
            f"The snapshot holds nothing at {named}; `nightsafe ls` shows what it holds."
        )


def find_folder(reader: BlobReader, tree: bytes, path: bytes, *, advice: str = "") -> bytes:
    """The tree of the folder `path` in a snapshot; RestoreError when it holds no such folder.

    `advice` is a sentence for whoever meant a file.
    """
    for name in filter(None, path.split(b"/")):
        nodes, unreadable = reader.read_tree(tree)
        inner = next((node.subtree for node in nodes if node.name == name), None)
        if inner is None and unreadable:
            raise DamagedError(f"A folder above {path!a} is damaged: {unreadable[0]}.")
        if inner is None:
            shown = ascii(path.decode("utf-8", "replace"))
            text = f"The snapshot holds no folder {shown}; `nightsafe ls` shows what it holds."
            raise RestoreError(f"{text} {advice}".rstrip())
        tree = inner
    return tree
