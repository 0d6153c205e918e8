"""A set of blob ids in shared memory: which blobs are stored or being stored.

The set is a file without a name, mapped into every process: a row of open-addressing tables,
each twice as large as the one before. Pages that hold nothing cost no memory. Nothing is
locked: two processes that claim the same id at the same moment may both win, or one may undo
the other's entry, and then a blob is stored twice, which the format allows.

An id stands in it as a mark of 96 bits, its hash under a key that is drawn anew for each set, so
that a million blobs take 25 MB. That an id is taken for known which was not claimed has for a
hundred million blobs a chance of 1 in 10^13, and nobody can bring it about without the key.
"""

import hashlib
import mmap
import os
import struct
from typing import TYPE_CHECKING, Any

from nightsafe.fs.files import make_sparse
from nightsafe.workers.process import handed_on

MARK_SIZE = 12
_KEY_SIZE = 32
_HEADER = mmap.PAGESIZE
_FIRST_BITS = 15
_LEVELS = 14
_EMPTY = bytes(MARK_SIZE)
_LONG_SEARCH = 256
_COUNT = struct.Struct("<Q")


class PortableTable:
    """The marks in memory that processes share: `levels` tables from `start` on, the first of
    2 ** `first_bits` places; before them, how many marks each holds.

    `_known.Table` does the same in C.
    """

    def __init__(
        self, memory: mmap.mmap, key: bytes, start: int, first_bits: int, levels: int
    ) -> None:
        self._hash = hashlib.blake2b(key=key, digest_size=MARK_SIZE)
        self._memory = memory
        self._slots = [1 << (first_bits + level) for level in range(levels)]
        self._starts = [start + MARK_SIZE * sum(self._slots[:level]) for level in range(levels)]

    def contains(self, blob_id: bytes) -> bool:
        """Whether an id was claimed."""
        mark = self._mark(blob_id)
        return any(self._find(level, mark)[1] for level in range(self._newest(), -1, -1))

    def claim(self, blob_id: bytes) -> bool:
        """Add an id; True if it was not there."""
        newest, mark = self._newest(), self._mark(blob_id)
        for level in range(newest - 1, -1, -1):
            if self._find(level, mark)[1]:
                return False
        place, found, steps = self._find(newest, mark)
        if found:
            return False
        self._memory[place : place + MARK_SIZE] = mark
        (count,) = _COUNT.unpack_from(self._memory, newest * _COUNT.size)
        # Counts that race may come out low; a long search shows that a level is full all the same.
        count = self._slots[newest] if steps > _LONG_SEARCH else count + 1
        _COUNT.pack_into(self._memory, newest * _COUNT.size, count)
        return True

    def release(self) -> None:
        """Let the memory go."""

    def _mark(self, blob_id: bytes) -> bytes:
        hashed = self._hash.copy()
        hashed.update(blob_id)
        return hashed.digest()

    def _newest(self) -> int:
        """The level that takes new ids: the first that is not full. Levels never become free."""
        for level, slots in enumerate(self._slots[:-1]):
            if _COUNT.unpack_from(self._memory, level * _COUNT.size)[0] * 5 < slots * 4:
                return level
        return len(self._slots) - 1

    def _find(self, level: int, mark: bytes) -> tuple[int, bool, int]:
        """Where the mark stands in a level, or the free place where it would; the way there."""
        start, slots = self._starts[level], self._slots[level]
        slot = int.from_bytes(mark[:8], "little") % slots
        for steps in range(slots):
            place = start + slot * MARK_SIZE
            there = self._memory[place : place + MARK_SIZE]
            if there == mark:
                return place, True, steps
            if there == _EMPTY:
                return place, False, steps
            slot = (slot + 1) % slots
        # More than 200 million blobs in the last level: the oldest entry there is given up.
        return start, False, slots


if TYPE_CHECKING:
    Table = PortableTable
else:
    try:
        from nightsafe._native import blob_set as _blob_set
    except ImportError:  # not built here
        Table = PortableTable
    else:
        Table = _blob_set.Table


class BlobSet:
    """A growing set of 32-byte ids; every process that inherits it sees the same one.

    `fd` and `key` are those of a set that another process began.
    """

    def __init__(self, fd: int | None = None, key: bytes = b"") -> None:
        self._key = key or os.urandom(_KEY_SIZE)
        self._fd = _nameless_file() if fd is None else fd
        size = _HEADER + MARK_SIZE * sum(1 << (_FIRST_BITS + level) for level in range(_LEVELS))
        if fd is None:
            os.ftruncate(self._fd, size)
        self._map = mmap.mmap(self._fd, size)
        self.table = Table(self._map, self._key, _HEADER, _FIRST_BITS, _LEVELS)

    def __reduce__(self) -> tuple[object, ...]:
        """For a process that is being started anew, and is given the file with it."""
        return _handed_over, (handed_on(self._fd), self._key)

    def close(self) -> None:
        """Give the memory back."""
        self.table.release()
        self._map.close()
        os.close(self._fd)

    def __contains__(self, blob_id: bytes) -> bool:
        return self.table.contains(blob_id)

    def claim(self, blob_id: bytes) -> bool:
        """Add an id; True if it was not there, so that the caller has to store the blob."""
        return self.table.claim(blob_id)


def _handed_over(file: Any, key: bytes) -> BlobSet:
    return BlobSet(file.detach(), key)


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("nightsafe-known", os.MFD_CLOEXEC)
    import tempfile

    with tempfile.TemporaryFile() as file:
        make_sparse(file.fileno())
        return os.dup(file.fileno())
