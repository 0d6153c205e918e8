"""Decides what happens to entries that are in the target already."""

import contextlib
import errno
import os
import stat

from nightsafe.repofile.index import Index
from nightsafe.repofile.tree import Node
from nightsafe.restorer.options import RestoreOptions
from nightsafe.restorer.verify import differs
from nightsafe.target.directory import is_regular, mode_of
from nightsafe.target.target import Target

_NOT_REPLACED = (stat.S_IFDIR, stat.S_IFLNK)


class ExistingEntries:
    """Decides about what stands where the target is, as the options want it."""

    def __init__(self, target: Target, options: RestoreOptions, index: Index) -> None:
        self._target = target
        self._options = options
        self._index = index

    def staying(self, node: Node) -> os.stat_result | None:
        """The status of what stands in the way of an entry, no folder, and stays there."""
        here = self._target.here
        status = self._target.status(node.name) if self._options.overwrite != "always" else None
        if status is None or here is None:
            return None
        if self._options.overwrite != "if-changed":
            return status if self._keeps(node, status) else None
        is_alike = node.type == "file" and is_regular(status)
        if not is_alike or (status.st_size, status.st_mtime_ns) != (node.size, node.mtime):
            return None
        if self._options.verify and differs(node.name, node, folder=here, index=self._index):
            return None
        return status

    def holds(self, node: Node) -> bool:
        """Whether the very content of a file stands there already, so that a restore, which
        compares it, would leave it. Reads all of it."""
        here, status = self._target.here, self._target.status(node.name)
        if here is None or status is None or node.type != "file" or node.content is None:
            return False
        is_alike = is_regular(status) and status.st_size == node.size
        if not is_alike or node.links > 1 or status.st_nlink > 1:
            return False
        return not differs(node.name, node, folder=here, index=self._index)

    def require_way(self, node: Node) -> None:
        """OSError where a restore could not put an entry, no folder, in place: in that of a folder
        with something in it."""
        here, status = self._target.here, self._target.status(node.name)
        if here is None or status is None or not stat.S_ISDIR(mode_of(status)):
            return
        inner = here.enter(node.name)
        try:
            if inner.names() and not self._options.delete:
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        finally:
            inner.close()

    def is_link(self, node: Node) -> bool:
        """Whether the very link of a node stands there, with all that is said of it."""
        here, status = self._target.here, self._target.status(node.name)
        if here is None or status is None or not stat.S_ISLNK(mode_of(status)):
            return False
        described = (status.st_uid, status.st_gid, status.st_mtime_ns)
        is_so = described == (node.uid, node.gid, node.mtime)
        return is_so and here.read_link(node.name) == node.link_target

    def enter(self, node: Node) -> bool:
        """Go into a folder and say whether it is new; a file that is in the way is replaced.

        OSError if something else is, which `obstacle` tells.
        """
        try:
            is_new = self._target.enter(node.name)
        except OSError:
            status = self._target.status(node.name)
            if status is None or stat.S_IFMT(mode_of(status)) in _NOT_REPLACED:
                raise
            if self._keeps(node, status):
                raise
            return self._target.replace(node.name)
        if not is_new and self._target.here is not None and not self._options.dry_run:
            with contextlib.suppress(OSError):  # it is somebody else's, and keeps its mode
                self._target.here.narrow(node)
        return is_new

    def obstacle(self, name: bytes) -> str:
        """What is in the way of a folder of this name, for people; empty if nothing is."""
        status = self._target.status(name)
        if status is None or stat.S_ISDIR(mode_of(status)):
            return ""
        if stat.S_ISLNK(mode_of(status)):
            return "a link stands there, which is neither followed nor replaced"
        return "a file stands there, which --overwrite does not replace"

    def _keeps(self, node: Node, status: os.stat_result) -> bool:
        """Whether something stays, whatever it is, because of its age or for being there."""
        if self._options.overwrite == "if-newer":
            return node.mtime <= status.st_mtime_ns
        return self._options.overwrite == "never"
