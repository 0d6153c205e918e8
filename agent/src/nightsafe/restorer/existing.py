"""Decides what happens to entries that exist in the target."""

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
    """Decides by the options which existing entries are kept or replaced."""

    def __init__(self, target: Target, options: RestoreOptions, index: Index) -> None:
        self._target = target
        self._options = options
        self._index = index

    def kept_status(self, node: Node) -> os.stat_result | None:
        """Return the status of an existing non-folder that is kept, or None."""
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
        """Whether a file with exactly this content exists, so that a restore would keep it.

        Reads all of it.
        """
        here, status = self._target.here, self._target.status(node.name)
        if here is None or status is None or node.type != "file" or node.content is None:
            return False
        is_alike = is_regular(status) and status.st_size == node.size
        if not is_alike or node.links > 1 or status.st_nlink > 1:
            return False
        return not differs(node.name, node, folder=here, index=self._index)

    def require_replaceable(self, node: Node) -> None:
        """Raise OSError if a restore could not put a non-folder in place.

        A folder that is not empty is in the way.
        """
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
        """Whether exactly this link exists, with its owner and time."""
        here, status = self._target.here, self._target.status(node.name)
        if here is None or status is None or not stat.S_ISLNK(mode_of(status)):
            return False
        raw_attributes = (status.st_uid, status.st_gid, status.st_mtime_ns)
        is_so = raw_attributes == (node.uid, node.gid, node.mtime)
        return is_so and here.read_link(node.name) == node.link_target

    def enter(self, node: Node, *, replaces: bool) -> bool:
        """Enter a folder and return whether it is new; a file in the way is replaced if so asked.

        OSError if anything else is in the way; `obstacle` describes it.
        """
        try:
            is_new = self._target.enter(node.name)
        except OSError:
            status = self._target.status(node.name)
            if status is None or stat.S_IFMT(mode_of(status)) in _NOT_REPLACED:
                raise
            if not replaces or self._keeps(node, status):
                raise
            return self._target.replace(node.name)
        if not is_new and self._target.here is not None and not self._options.dry_run:
            with contextlib.suppress(OSError):  # it belongs to somebody else and keeps its mode
                self._target.here.restrict(node)
        return is_new

    def obstacle(self, node: Node, *, replaces: bool) -> str:
        """Describe what is in the way of a folder; empty if nothing is."""
        status = self._target.status(node.name)
        if status is None or stat.S_ISDIR(mode_of(status)):
            return ""
        if stat.S_ISLNK(mode_of(status)):
            return "a link stands there, which is neither followed nor replaced"
        if replaces or self._keeps(node, status):
            return "a file stands there, which --overwrite does not replace"
        return (
            "a file stands there, and was not asked to be replaced: "
            "move it away, or include the folder itself"
        )

    def _keeps(self, node: Node, status: os.stat_result) -> bool:
        """Whether an entry is kept because of its age or because it exists."""
        if self._options.overwrite == "if-newer":
            return node.mtime <= status.st_mtime_ns
        return self._options.overwrite == "never"
