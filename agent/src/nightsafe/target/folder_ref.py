"""Identifies a folder below the target, across processes."""

from typing import NamedTuple


class FolderRef(NamedTuple):
    """A folder below the target: its path from there, and its identity."""

    path: bytes
    device: int
    inode: int
