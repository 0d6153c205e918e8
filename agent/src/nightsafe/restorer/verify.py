"""Verifies restored files by reading them back."""

import hashlib
import os
import stat
from collections.abc import Collection

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.file_restorer.finisher import Listener
from nightsafe.fs.files import TO_READ
from nightsafe.repofile.index import Index
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node
from nightsafe.repository.tree_walker import Selection, walk_through
from nightsafe.restorer.tree_filter import TreeFilter
from nightsafe.target.directory import Directory, mode_of
from nightsafe.target.target import Target


def differs(name: bytes, node: Node, *, folder: Directory, index: Index) -> str:
    """Explain how the entry `name` differs from the node; empty if it does not."""
    try:
        mode = mode_of(folder.status(name))
        if node.type == "symlink":
            is_same = stat.S_ISLNK(mode) and folder.read_link(name) == node.link_target
            return "" if is_same else "the link is another one"
        if node.type != "file":
            return ""
        if not stat.S_ISREG(mode):
            return "it is not a file"
        fd = folder.open_file(name, TO_READ)
    except OSError as error:
        return f"it cannot be read back: {(error.strerror or 'unknown error').lower()}"
    try:
        return _compare(fd, node, index)
    except OSError as error:
        return f"it cannot be read back: {(error.strerror or 'unknown error').lower()}"
    finally:
        os.close(fd)


def _compare(fd: int, node: Node, index: Index) -> str:
    for blob in node.content or ():
        found = index.locate(BlobKind.DATA, blob)
        if not found:
            return "what it should hold is not known"
        length = found[0].plain_length or found[0].length - OVERHEAD
        data = os.read(fd, length)
        while len(data) < length and (more := os.read(fd, length - len(data))):
            data += more
        if hashlib.sha256(data).digest() != blob:
            return "it holds other bytes than the snapshot"
    return "it is longer than in the snapshot" if os.read(fd, 1) else ""


class Verifier:
    """Reads back what was restored, in the order of the trees.

    The restore has reported unreadable entries already, so `tree_filter` need not.
    """

    def __init__(
        self,
        index: Index,
        target: bytes,
        selection: Selection,
        *,
        tree_filter: TreeFilter,
        listener: Listener,
    ) -> None:
        self._tree_filter = tree_filter
        self._index = index
        self._target = Target(target, read_only=True)
        self._selection = selection
        self._reporter = listener
        self._at: list[bytes] = []

    def verify(self, tree: bytes, *, skip: Collection[bytes]) -> int:
        """Report what differs or is missing, except `skip` paths; returns how many are correct."""
        count = 0
        try:
            for found in walk_through(self._listed, tree, self._selection):
                if found.node.type not in ("file", "symlink") or found.path in skip:
                    continue
                problem = self._problem(found.path, found.node)
                count += not problem
                if problem:
                    self._reporter.failed(found.path, problem)
        finally:
            self._target.close()
        return count

    def _listed(self, path: bytes, tree: bytes) -> list[Node]:
        return self._tree_filter.filter_tree(path, tree).nodes

    def _problem(self, path: bytes, node: Node) -> str:
        *folders, name = path[1:].split(b"/")
        try:
            self._go(folders)
        except OSError as error:
            return f"it cannot be read back: {(error.strerror or 'unknown error').lower()}"
        if self._target.here is None:
            return "it is not there"
        return differs(name, node, folder=self._target.here, index=self._index)

    def _go(self, folders: list[bytes]) -> None:
        while self._at != folders[: len(self._at)]:
            self._target.leave()
            self._at.pop()
        for name in folders[len(self._at) :]:
            self._target.enter(name)
            self._at.append(name)
