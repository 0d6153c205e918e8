"""Compares two trees: names, types, modes, times, link targets, owners (as root), contents.

Paths are bytes, since file names need not be text.
"""

import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Difference:
    """One thing that is not equal; `path` is the original's."""

    path: bytes
    what: str

    def __str__(self) -> str:
        return f"{os.fsdecode(self.path)!r}: {self.what}"


@dataclass
class Comparison:
    """What was compared, and what differs. Sockets are left out: no backup can hold one."""

    files: int = 0
    folders: int = 0
    links: int = 0
    others: int = 0
    size: int = 0  # bytes in files
    sockets: int = 0
    differences: list[Difference] = field(default_factory=list)

    def beyond(self, unread: set[bytes]) -> list[Difference]:
        """Return the differences that are not explained by paths that could not be read."""
        return [found for found in self.differences if not _is_below(found.path, unread)]


def compare(original: bytes, restored: bytes) -> Comparison:
    """Compare two files or folders, and everything in them."""
    result = Comparison()
    stack = [(original, restored)]
    while stack:
        ours, theirs = stack.pop()
        for what in _differences(ours, theirs, result):
            result.differences.append(Difference(ours, what))
        if _is_folder(ours) and _is_folder(theirs):
            stack += _pairs(ours, theirs, result)
    return result


def _is_below(path: bytes, tops: set[bytes]) -> bool:
    while path not in (b"", b"/"):
        if path in tops:
            return True
        path = os.path.dirname(path)
    return False


def _is_folder(path: bytes) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _pairs(ours: bytes, theirs: bytes, result: Comparison) -> list[tuple[bytes, bytes]]:
    try:
        names, others = set(os.listdir(ours)), set(os.listdir(theirs))
    except OSError as error:
        result.differences.append(Difference(ours, f"cannot be listed: {error.strerror}"))
        return []
    for name in sorted(others - names):
        surplus = os.path.join(ours, name)
        result.differences.append(Difference(surplus, "is there only after the restore"))
    return [(os.path.join(ours, name), os.path.join(theirs, name)) for name in sorted(names)]


def _differences(ours: bytes, theirs: bytes, result: Comparison) -> Iterator[str]:
    try:
        before = os.lstat(ours)
    except OSError as error:
        yield f"the original cannot be looked at: {error.strerror}"
        return
    if stat.S_ISSOCK(before.st_mode):
        result.sockets += 1
        return
    _count(before, result)
    try:
        after = os.lstat(theirs)
    except OSError:
        yield "was not restored"
        return
    if stat.S_IFMT(before.st_mode) != stat.S_IFMT(after.st_mode):
        yield "has another type"
        return
    yield from _metadata(before, after)
    yield from _contents(ours, theirs, before)


def _count(status: os.stat_result, result: Comparison) -> None:
    if stat.S_ISREG(status.st_mode):
        result.files += 1
        result.size += status.st_size
    elif stat.S_ISDIR(status.st_mode):
        result.folders += 1
    elif stat.S_ISLNK(status.st_mode):
        result.links += 1
    else:
        result.others += 1


def _metadata(before: os.stat_result, after: os.stat_result) -> Iterator[str]:
    old, new = stat.S_IMODE(before.st_mode), stat.S_IMODE(after.st_mode)
    if old != new and not stat.S_ISLNK(before.st_mode):
        yield f"has mode {new:o} instead of {old:o}"
    if before.st_mtime_ns != after.st_mtime_ns:
        yield f"has time {after.st_mtime_ns} instead of {before.st_mtime_ns} (ns)"
    owners = (before.st_uid, before.st_gid), (after.st_uid, after.st_gid)
    if os.geteuid() == 0 and owners[0] != owners[1]:
        yield f"has owner {owners[1]} instead of {owners[0]}"
    if before.st_rdev != after.st_rdev and _is_device(before):
        yield "is another device"


def _is_device(status: os.stat_result) -> bool:
    return stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode)


def _contents(ours: bytes, theirs: bytes, before: os.stat_result) -> Iterator[str]:
    try:
        if stat.S_ISLNK(before.st_mode) and os.readlink(ours) != os.readlink(theirs):
            yield "points elsewhere"
        if stat.S_ISREG(before.st_mode) and not _same_bytes(ours, theirs):
            yield "has other contents"
    except OSError as error:
        yield f"cannot be read: {error.strerror}"


def _same_bytes(ours: bytes, theirs: bytes) -> bool:
    with open(ours, "rb", buffering=0) as left, open(theirs, "rb", buffering=0) as right:
        while True:
            block = left.read(_BLOCK)
            if block != _read_as_much(right, len(block)):
                return False
            if not block:
                return True


def _read_as_much(file: io.FileIO, size: int) -> bytes:
    """Read `size` bytes, or to the end; with 0, check whether anything is left."""
    parts, left = [], size or 1
    while left and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
