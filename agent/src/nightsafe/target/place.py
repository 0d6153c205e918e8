"""A folder below the target, and how it is recognised again."""

from typing import NamedTuple


class Place(NamedTuple):
    """A folder below the target: its path from there, and which folder that must be."""

    path: bytes
    device: int
    inode: int
