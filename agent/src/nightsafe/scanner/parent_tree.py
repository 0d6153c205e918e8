"""Reads a folder's tree in the parent snapshot, whichever program wrote it."""

import re
from typing import Any

import orjson

from nightsafe.errors import DamagedError
from nightsafe.fs.status import Status
from nightsafe.repofile.go_json import format_time, parse_time, quote_name
from nightsafe.repofile.tree import read_id

_ID = re.compile(r"[0-9a-f]{64}")


class ParentTree:
    """A folder's former tree; its nodes are decoded only as far as needed."""

    def __init__(self, tree: bytes, problems: list[tuple[str, bytes, str]]) -> None:
        self._nodes: dict[str, dict[str, Any]] = {}
        if not tree:
            return
        try:
            self._nodes = {node["name"]: node for node in orjson.loads(tree)["nodes"] or ()}
        except (KeyError, TypeError, ValueError):
            text = "A tree of the last snapshot is damaged. The files there are read anew."
            problems.append(("damaged", b"", text))

    @property
    def is_empty(self) -> bool:
        """Whether there is no former tree."""
        return not self._nodes

    def __contains__(self, name: bytes) -> bool:
        return bool(self._nodes) and quote_name(name) in self._nodes

    def subtree(self, name: bytes) -> bytes:
        """Return the tree id of a folder in this one; empty if it had none."""
        node = self._nodes.get(quote_name(name)) if self._nodes else None
        if node is None or node.get("type") != "dir":
            return b""
        try:
            return read_id(node.get("subtree"))
        except DamagedError:
            return b""

    def inode(self, name: bytes) -> int | None:
        """Return an entry's former inode, 0 if it was not stored; None if there was no entry."""
        node = self._nodes.get(quote_name(name)) if self._nodes else None
        inode = node.get("inode", 0) if node is not None else None
        return inode if isinstance(inode, int) else None

    def content_if_unchanged(self, name: bytes, status: Status) -> list[str] | None:
        """Return a regular file's blobs if its `stat` data is unchanged, else None."""
        node = self._nodes.get(quote_name(name)) if self._nodes else None
        if (
            node is None
            or node.get("type") != "file"
            or node.get("size", 0) != status.st_size
            or node.get("inode", 0) != status.st_ino
            or not _same_time(node.get("mtime"), status.st_mtime_ns)
            or not _same_time(node.get("ctime"), status.st_ctime_ns)
        ):
            return None
        content = node.get("content")
        if not isinstance(content, list):
            return None
        sound = all(isinstance(blob, str) and _ID.fullmatch(blob) for blob in content)
        return content if sound else None


def _same_time(text: object, ns: int) -> bool:
    if text == format_time(ns):
        return True
    try:
        return isinstance(text, str) and parse_time(text) == ns
    except DamagedError:
        return False
