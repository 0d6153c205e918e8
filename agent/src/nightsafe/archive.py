"""From a plan of paths to a stored tree: the walk of a backup, without recursion."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from nightsafe.errors import NightsafeError, SourceError, StorageError
from nightsafe.fetch import BlobReader
from nightsafe.pack import BlobKind
from nightsafe.progress import Advanced, FileDone, Issue, Observer
from nightsafe.repository import Repository
from nightsafe.scan import Plan, is_unchanged, node_of
from nightsafe.tree import Node, encode_node, encode_tree
from nightsafe.upload import Uploader

_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SMALLEST_READ = 1 << 16


@dataclass
class BackupCount:
    """How many files, directories and bytes a backup dealt with, and what it added."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    directories: int = 0
    bytes: int = 0
    added_blobs: int = 0
    added_bytes: int = 0
    stored_bytes: int = 0


@dataclass
class _Folder:
    """A directory on the way: `todo` yields its entries, `nodes` collects their JSON."""

    node: Node | None
    todo: Iterator[tuple[bytes, Plan]]
    previous: dict[bytes, Node]
    nodes: list[str] = field(default_factory=list)


class _SkippedError(Exception):
    """This entry stays out of the snapshot; the user has been told."""


class Archiver:
    """Walks a plan depth first and stores each directory's tree when it is complete."""

    def __init__(self, repository: Repository, uploader: Uploader, tell: Observer) -> None:
        self.count = BackupCount()
        self._index = repository.index
        self._reader = BlobReader(repository)
        self._chunker = repository.new_chunker()
        self._uploader = uploader
        self._tell = tell

    def archive(self, plan: Plan, parent: Iterable[Node]) -> bytes:
        """Store everything that `plan` names; returns the root tree's id.

        `parent` are the root nodes of the snapshot to compare with. SourceError if the tree
        would be empty.
        """
        stack = [_Folder(None, _planned(plan), _by_name(parent))]
        while True:
            folder = stack[-1]
            entry = next(folder.todo, None)
            if entry is not None:
                self._enter(folder, entry, stack)
                continue
            stack.pop()
            if folder.node is None:
                return self._finish_root(folder)
            tree_id = self._uploader.add(BlobKind.TREE, encode_tree(folder.nodes))
            self.count.directories += 1
            stack[-1].nodes.append(encode_node(folder.node.with_subtree(tree_id)))

    def _finish_root(self, folder: _Folder) -> bytes:
        if not folder.nodes:
            raise SourceError("Nothing could be read, so no snapshot was made.")
        tree_id = self._uploader.add(BlobKind.TREE, encode_tree(folder.nodes))
        added = self._uploader.count
        self.count = replace(self.count, added_blobs=added.blobs, added_bytes=added.plain_bytes)
        return tree_id

    def _enter(self, folder: _Folder, entry: tuple[bytes, Plan], stack: list[_Folder]) -> None:
        """Deal with one entry: a file's node is added, a directory goes onto the stack."""
        name, plan = entry
        previous = folder.previous.get(name)
        path = plan.path if plan.path is not None else plan.meta_path
        try:
            if plan.path is None:
                node = node_of(name, path, os.stat(path))
                stack.append(_Folder(node, _planned(plan), self._subtree(previous)))
                return
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                node = node_of(name, path, status)
                todo = _listed(path)
                stack.append(_Folder(node, todo, self._subtree(previous)))
            elif stat.S_ISREG(status.st_mode):
                folder.nodes.append(encode_node(self._file(name, path, status, previous)))
            elif not stat.S_ISSOCK(status.st_mode):
                folder.nodes.append(encode_node(node_of(name, path, status)))
        except OSError as error:
            self._tell(_issue_of(path, error))
        except _SkippedError:
            return

    def _subtree(self, previous: Node | None) -> dict[bytes, Node]:
        """The entries of a directory in the parent snapshot; none if they cannot be read."""
        if previous is None or previous.type != "dir" or previous.subtree is None:
            return {}
        try:
            return _by_name(self._reader.load_tree(previous.subtree))
        except StorageError:
            raise
        except NightsafeError as error:
            self._tell(Issue("damaged", b"", f"{error} The files there are read anew."))
            return {}

    def _file(
        self, name: bytes, path: bytes, status: os.stat_result, previous: Node | None
    ) -> Node:
        if previous is not None and is_unchanged(status, previous) and self._has_all(previous):
            node = node_of(name, path, status).with_content(previous.content or (), status.st_size)
            self.count.unchanged += 1
            self._done(path, "unchanged", status.st_size)
            self._tell(Advanced(status.st_size))
            return node
        node = self._read(name, path)
        state = "new" if previous is None else "changed"
        self.count.new += previous is None
        self.count.changed += previous is not None
        self._done(path, state, node.size)
        return node

    def _has_all(self, previous: Node) -> bool:
        return all(self._index.has(BlobKind.DATA, blob) for blob in previous.content or ())

    def _done(self, path: bytes, state: str, size: int) -> None:
        self.count.bytes += size
        self._tell(FileDone(path, state))

    def _read(self, name: bytes, path: bytes) -> Node:
        """Store a regular file's contents. The node's times are from before it was read."""
        fd = os.open(path, _OPEN_FLAGS)
        try:
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                text = "it was replaced while the backup ran; it is not in this snapshot"
                self._tell(Issue("vanished", path, text))
                raise _SkippedError
            node = node_of(name, path, before)
            content, size = self._store(fd, before.st_size)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            text = "it changed while it was read, so its copy may mix old and new"
            self._tell(Issue("changed", path, f"{text}; the next backup reads it again"))
        return node.with_content(content, size)

    def _store(self, fd: int, expected: int) -> tuple[list[bytes], int]:
        at_once = max(expected + 1, _SMALLEST_READ)
        content, size = [], 0
        for chunk in self._chunker.chunks(lambda n: os.read(fd, min(n, at_once))):
            content.append(self._uploader.add(BlobKind.DATA, chunk))
            size += len(chunk)
            self._tell(Advanced(len(chunk)))
        return content, size


def _by_name(nodes: Iterable[Node]) -> dict[bytes, Node]:
    return {node.name: node for node in nodes}


def _planned(plan: Plan) -> Iterator[tuple[bytes, Plan]]:
    return iter(sorted(plan.children.items(), key=lambda item: item[0]))


def _listed(path: bytes) -> Iterator[tuple[bytes, Plan]]:
    """The entries of a directory, listed now; OSError if that is not possible."""
    names = sorted(os.listdir(path))
    return ((name, Plan(path=os.path.join(path, name))) for name in names)


def _issue_of(path: bytes, error: OSError) -> Issue:
    if isinstance(error, FileNotFoundError):
        text = "it vanished while the backup ran; it is not in this snapshot"
        return Issue("vanished", path, text)
    reason = (error.strerror or "it cannot be read").lower()
    return Issue("unreadable", path, f"{reason}; it is not in this snapshot")
