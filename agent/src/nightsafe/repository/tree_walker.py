"""Walks a snapshot's trees for restore, check and ls, without recursion."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from nightsafe.errors import DamagedError, RestoreError
from nightsafe.filters.patterns import Patterns
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader


class Found(NamedTuple):
    """An entry of a snapshot; its path is absolute within the snapshot."""

    path: bytes
    node: Node


class Selection(Protocol):
    """Selects entries of a snapshot; paths are absolute within the snapshot."""

    paths: list[bytes]
    """The paths or patterns as given by the user; empty for everything."""
    includes_all: bool
    """Whether everything is selected, so that no path need be checked."""

    def includes(self, path: bytes) -> bool:
        """Whether the entry itself is selected."""

    def may_contain(self, path: bytes) -> bool:
        """Whether the directory `path`, or something below it, may be selected."""


class PatternSelection:
    """Selects by patterns: everything, or what matches `include`, except for `exclude`."""

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
        # Checked several times per entry, mostly without any pattern.
        self._include = _any_of(wanted, wanted_any_case)
        self._exclude = _any_of(exclude, exclude_any_case)
        self.includes_all = not self.paths and not self._exclude

    def includes(self, path: bytes) -> bool:
        """Whether an include pattern, and no exclude pattern, matches the path."""
        is_included = not self.paths or any(p.matches(path) for p in self._include)
        return is_included and not self._excludes(path)

    def may_contain(self, path: bytes) -> bool:
        """Whether the directory `path`, or something below it, may be selected."""
        if self._excludes(path):
            return False
        return self.includes(path) or any(p.may_match_below(path) for p in self._include)

    def _excludes(self, path: bytes) -> bool:
        return bool(self._exclude) and any(p.matches(path) for p in self._exclude)


def _any_of(patterns: Iterable[str], any_case: Iterable[str]) -> list[Patterns]:
    both = (Patterns(patterns), Patterns(any_case, ignore_case=True))
    return [patterns for patterns in both if patterns]


class PathSelection:
    """Selects paths and everything below them; all entries if no path is given."""

    def __init__(self, paths: Iterable[bytes] = ()) -> None:
        self.paths = [b"/" + path.strip(b"/") for path in paths]
        if b"/" in self.paths:
            self.paths = []
        self.includes_all = not self.paths

    def includes(self, path: bytes) -> bool:
        """Whether the entry is one of the paths or below one."""
        return not self.paths or any(path == p or path.startswith(p + b"/") for p in self.paths)

    def may_contain(self, path: bytes) -> bool:
        """Whether the directory `path`, or something below it, may be selected."""
        return self.includes(path) or any(p.startswith(path + b"/") for p in self.paths)


def walk(
    reader: BlobReader,
    tree: bytes,
    selection: Selection | None = None,
    on_damage: Callable[[bytes, DamagedError], None] | None = None,
) -> Iterator[Found]:
    """Yield every selected entry below a root tree, parents before children, in stored order.

    A damaged subtree or entry is reported to `on_damage` and skipped, or raised without that.
    """

    def listed(path: bytes, tree: bytes) -> list[Node]:
        return _nodes(reader, path, tree, on_damage)

    return walk_through(listed, tree, selection or PathSelection())


def walk_through(
    listed: Callable[[bytes, bytes], list[Node]], tree: bytes, selection: Selection
) -> Iterator[Found]:
    """Like `walk`; `listed` returns the nodes of a folder, given its path and tree."""
    stack = [(b"", iter(listed(b"", tree)))]
    while stack:
        above, nodes = stack[-1]
        node = next(nodes, None)
        if node is None:
            stack.pop()
            continue
        found = Found(above + b"/" + node.name, node)
        if selection.includes(found.path):
            yield found
        if node.subtree is not None and selection.may_contain(found.path):
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


def require_found(found: int, selection: Selection) -> None:
    """Raise RestoreError if named paths matched nothing."""
    if not found and selection.paths:
        named = ", ".join(ascii(path.decode("utf-8", "replace")) for path in selection.paths[:3])
        raise RestoreError(
            f"The snapshot holds nothing at {named}; `nightsafe ls` shows what it holds."
        )


def find_folder(reader: BlobReader, tree: bytes, path: bytes, *, advice: str = "") -> bytes:
    """Return the tree of the folder `path`; RestoreError if there is no such folder.

    `advice` is a sentence for users who meant a file.
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
