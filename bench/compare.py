"""Is what came back the same, byte by byte?"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 1 << 20


class DifferentError(Exception):
    """A restored file is not what was backed up."""


def require_same(source: Path, restored: Path) -> int:
    """Compare types, modes, times, links and contents; return how many entries were compared."""
    count = 0
    for relative in _entries(source):
        _compare(source / relative, restored / relative)
        count += 1
    extra = sum(1 for _ in _entries(restored)) - count
    if extra:
        raise DifferentError(f"{restored} has {extra} entries that {source} has not.")
    return count


def _entries(top: Path) -> Iterator[str]:
    yield "."
    if top.is_dir():
        for folder, folders, files in os.walk(top):
            for name in [*folders, *files]:
                yield os.path.relpath(os.path.join(folder, name), top)


def _compare(source: Path, restored: Path) -> None:
    one = source.lstat()
    try:
        other = restored.lstat()
    except FileNotFoundError:
        raise DifferentError(f"{restored} is missing.") from None
    is_link = stat.S_ISLNK(one.st_mode)
    same = one.st_mode == other.st_mode and (is_link or one.st_mtime_ns == other.st_mtime_ns)
    if same and is_link:
        same = os.readlink(source) == os.readlink(restored)
    elif same and stat.S_ISREG(one.st_mode):
        same = _same_bytes(source, restored)
    if not same:
        raise DifferentError(f"{restored} differs from {source}.")


def _same_bytes(source: Path, restored: Path) -> bool:
    # Not filecmp: it remembers answers by size and time, and both stay equal here.
    with source.open("rb") as one, restored.open("rb") as other:
        while block := one.read(_BLOCK):
            if block != other.read(_BLOCK):
                return False
        return not other.read(1)
