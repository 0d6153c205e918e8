"""Which blobs are stored or being stored: a set of ids that all worker processes share.

The set is a file without a name, mapped into every process: a row of open-addressing tables,
each four times as large as the one before. Pages that hold nothing cost no memory. Nothing is
locked: two processes that claim the same id at the same moment may both win, or one may undo
the other's entry, and then a blob is stored twice, which the format allows. An id is never
taken for known that was not claimed.
"""

import mmap
import os
import struct
import tempfile

try:
    from nightsafe import _known
except ImportError:  # not built here
    _known = None  # type: ignore[assignment]

ID_SIZE = 32
_HEADER = mmap.PAGESIZE
_FIRST_BITS = 15
_LEVELS = 7
_FULL = 0.7
_EMPTY = bytes(ID_SIZE)
_LONG_SEARCH = 256
_COUNT = struct.Struct("<Q")


class KnownBlobs:
    """A growing set of 32-byte ids; every process that inherits it sees the same one."""

    def __init__(self) -> None:
        self._fd = _nameless_file()
        self._starts, end = [], _HEADER
        for level in range(_LEVELS):
            self._starts.append(end)
            end += _slots(level) * ID_SIZE
        os.ftruncate(self._fd, end)
        self._map = mmap.mmap(self._fd, end)

    def close(self) -> None:
        """Give the memory back."""
        self._map.close()
        os.close(self._fd)

    def __contains__(self, blob_id: bytes) -> bool:
        return any(self._find(level, blob_id)[1] for level in range(self._newest(), -1, -1))

    def claim(self, blob_id: bytes) -> bool:
        """Add an id; True if it was not there, so that the caller has to store the blob."""
        newest = self._newest()
        for level in range(newest - 1, -1, -1):
            if self._find(level, blob_id)[1]:
                return False
        place, found, steps = self._find(newest, blob_id)
        if found:
            return False
        self._map[place : place + ID_SIZE] = blob_id
        (count,) = _COUNT.unpack_from(self._map, newest * _COUNT.size)
        # Counts that race may come out low; a long search shows that a level is full all the same.
        count = _slots(newest) if steps > _LONG_SEARCH else count + 1
        _COUNT.pack_into(self._map, newest * _COUNT.size, count)
        return True

    def _newest(self) -> int:
        """The level that takes new ids: the first that is not full. Levels never become free."""
        for level in range(_LEVELS - 1):
            if _COUNT.unpack_from(self._map, level * _COUNT.size)[0] < _FULL * _slots(level):
                return level
        return _LEVELS - 1

    def _find(self, level: int, blob_id: bytes) -> tuple[int, bool, int]:
        """Where the id stands in a level, or the free place where it would; and the way there."""
        return find(self._map, self._starts[level], _slots(level), blob_id)


def portable_find(
    held: mmap.mmap, start: int, slots: int, blob_id: bytes, /
) -> tuple[int, bool, int]:
    """What `_known.find` does: look for an id in the table of `slots` places from `start` on."""
    slot = int.from_bytes(blob_id[:8], "little") % slots
    for steps in range(slots):
        place = start + slot * ID_SIZE
        there = held[place : place + ID_SIZE]
        if there == blob_id:
            return place, True, steps
        if there == _EMPTY:
            return place, False, steps
        slot = (slot + 1) % slots
    # More than 90 million blobs in one level: the oldest entry there is given up.
    return start, False, slots


find = portable_find if _known is None else _known.find


def _slots(level: int) -> int:
    return 1 << (_FIRST_BITS + 2 * level)


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("nightsafe-known", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
