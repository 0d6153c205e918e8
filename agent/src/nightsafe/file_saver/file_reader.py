"""Reads files, and detects what may be wrong with what was read."""

from nightsafe.amounts import show_count
from nightsafe.fs.files import read_at
from nightsafe.fs.status import Status
from nightsafe.scanner.lister import Problem

REPLACED = "it was replaced while the backup ran; it is not in this snapshot"
CHANGED = (
    "it changed while it was read, so its copy may mix old and new; the next backup reads it again"
)


def read_into(fd: int, view: memoryview, offset: int) -> int:
    """Fill `view` from `offset` on; returns how much there was, less only where the file ends."""
    filled = 0
    while filled < len(view):
        count = read_at(fd, view[filled:], offset + filled)
        if not count:
            break
        filled += count
    return filled


def replaced(path: bytes) -> Problem:
    """What to say of a path that means no file any more; what it means now is missing."""
    return "unreadable", path, REPLACED


def doubts(path: bytes, before: Status, after: Status, size: int) -> list[Problem]:
    """What to say of a file of which `size` bytes were read between two calls of stat.

    A file system that fails may say that a file ends where it does not.
    """
    if size < before.st_size and before.st_mtime_ns == after.st_mtime_ns:
        whole = show_count(before.st_size, "byte")
        text = f"only {size} of its {whole} could be read; the snapshot holds those"
        return [("unreadable", path, text)]
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return [("changed", path, CHANGED)]
    return []
