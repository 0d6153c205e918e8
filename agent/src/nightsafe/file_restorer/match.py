"""Tells whether a file in the target already has the content to be restored.

Reading and hashing it costs less than fetching, decrypting and writing it again, and a correct file
stays where it is on the disk.
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

DIFFERENT, SAME, TO_UPDATE = range(3)
"""The content differs; content and attributes match; only the attributes may differ."""
_ID, _TOGETHER = 32, 4 << 20


class Check(NamedTuple):
    """The expected state of a file, or of a part of it.

    It is the whole file if `position` is 0 and the lengths add up to its size; of a part,
    attributes do not matter. `ids` are those of its blobs, concatenated, `lengths` an array of "Q".
    It has at most `links` hard links. `mode` has POSIX permissions, times are nanoseconds.
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
"""The fields of a check, as a plain tuple: very many may be sent between processes."""


def compare(folder: Directory, checks: list[RawCheck]) -> bytes:
    """Return a byte for each file: DIFFERENT, SAME or TO_UPDATE."""
    if native is not None and folder.handle >= 0:
        return native.compare(folder.handle, checks)
    return portable_compare(folder, checks)


def portable_compare(folder: Directory, checks: list[RawCheck]) -> bytes:
    """Do in Python what the C extension does."""
    return bytes(_compare_one(folder, Check(*check)) for check in checks)


def _compare_one(folder: Directory, check: Check) -> int:
    try:
        fd = folder.open_file(check.name, TO_READ)
        try:
            status = os.fstat(fd)
            is_it = is_regular(status) and status.st_size == check.size
            is_it = is_it and status.st_nlink <= check.links
            # Setting the attributes finds out which of them differ.
            return TO_UPDATE if is_it and _holds(fd, check) else DIFFERENT
        finally:
            os.close(fd)
    except OSError:
        return DIFFERENT


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
    """Yield the file's content in pieces of these lengths, several at a time."""
    texts: list[bytes] = []
    size = 0
    for length in lengths:
        text = os.read(fd, length)
        while len(text) < length and (more := os.read(fd, length - len(text))):
            text += more
        texts.append(text)
        size += length
        if size >= _TOGETHER:
            yield texts
            texts, size = [], 0
    yield texts
