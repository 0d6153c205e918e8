"""Tells whether a file in the target already holds what is to be restored.

To read and hash what is there costs less than to fetch, open and write it again; and what is
right keeps its place on the disk.
"""

import os
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

from nightsafe.crypto.sha256 import digests
from nightsafe.fs.files import TO_READ
from nightsafe.target.directory import Directory, is_regular

try:
    from nightsafe._native import file_match as native
except ImportError:  # not built here, or another kind of processor
    native = None  # type: ignore[assignment]

OTHER, SAME, TO_SET = range(3)
"""A file holds something else; what it should, with these attributes; the same with others."""
_ID, _TOGETHER = 32, 4 << 20


class Check(NamedTuple):
    """What a file should be. All of it if `position` is 0 and the lengths are its size; else
    a part, of which the attributes do not matter.

    `ids` are those of its blobs, one after the other, `lengths` theirs as an array of "Q". It has
    no more names than `links`. `mode` are POSIX permissions, times nanoseconds.
    """

    name: bytes
    position: int
    ids: bytes
    lengths: bytes
    size: int
    links: int
    mode: int
    uid: int
    gid: int
    mtime: int
    xattrs: tuple[tuple[bytes, bytes], ...]
    atime: int


RawCheck = tuple[Any, ...]
"""The fields of a check: there may be very many, on their way between processes."""


def compare(folder: Directory, checks: list[RawCheck]) -> bytes:
    """A verdict on each file: OTHER, SAME or TO_SET."""
    if native is not None and folder.handle >= 0:
        return native.compare(folder.handle, checks)
    return portable_compare(folder, checks)


def portable_compare(folder: Directory, checks: list[RawCheck]) -> bytes:
    """Do what the C extension does, in Python."""
    return bytes(_verdict(folder, Check(*check)) for check in checks)


def _verdict(folder: Directory, check: Check) -> int:
    try:
        fd = folder.open_file(check.name, TO_READ)
        try:
            status = os.fstat(fd)
            is_it = is_regular(status) and status.st_size == check.size
            is_it = is_it and status.st_nlink <= check.links
            # Whoever looks at the attributes finds out whether there is something to set.
            return TO_SET if is_it and _holds(fd, check) else OTHER
        finally:
            os.close(fd)
    except OSError:
        return OTHER


def _holds(fd: int, check: Check) -> bool:
    if check.position:
        os.lseek(fd, check.position, os.SEEK_SET)
    ids = [check.ids[start : start + _ID] for start in range(0, len(check.ids), _ID)]
    at = 0
    for texts in _read(fd, array("Q", check.lengths)):
        if digests(texts) != ids[at : at + len(texts)]:
            return False
        at += len(texts)
    return True


def _read(fd: int, lengths: "array[int]") -> Iterator[list[bytes]]:
    """What is there, in pieces of these lengths, some at a time."""
    texts: list[bytes] = []
    held = 0
    for length in lengths:
        text = os.read(fd, length)
        while len(text) < length and (more := os.read(fd, length - len(text))):
            text += more
        texts.append(text)
        held += length
        if held >= _TOGETHER:
            yield texts
            texts, held = [], 0
    yield texts
