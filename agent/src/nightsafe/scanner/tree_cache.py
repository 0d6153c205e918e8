"""A local cache of the last backup's folders, by which unchanged ones are recognised.

It has for each folder a keyed hash of its path, the fingerprint of its entries, and its tree's id.
It is valid only while its snapshot and every index file that it knew still exist, and may be
deleted at any time. Layout: one line of JSON, then records of 76 bytes, sorted by key.
"""

import contextlib
import os
import secrets
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson

from nightsafe.fs.files import NEW, TO_WRITE

_RECORD = struct.Struct("<16s16s32sIQ")
_START_SIZE = 8
_START = struct.Struct(f">Q{_RECORD.size - _START_SIZE}x")
"""The first bytes of a record's key, as a number that sorts like the key."""
_VERSION = 2
"""Version 1 trusted folders whose files had just changed, and incomplete ones."""
NO_FINGERPRINT = bytes(16)
"""Marks a folder that must be read again, because something in it failed."""


class FolderRecord(NamedTuple):
    """A folder: the hash of its path, its fingerprint, its tree, its own files and bytes."""

    key: bytes
    fingerprint: bytes
    tree: bytes
    files: int
    size: int


class CacheHead(NamedTuple):
    """What the cache depends on: names of objects, and the snapshot's time in nanoseconds.

    `epoch` is the service's, -1 for other backends: it rises when objects may be gone. `written`
    are the paths of the sources in the snapshot, given as relative or absolute ones.
    """

    snapshot: str
    time: int
    indexes: tuple[str, ...]
    snapshots: tuple[str, ...]
    epoch: int = -1
    written: tuple[str, ...] = ()


class TreeCache:
    """A loaded cache of `count` records."""

    def __init__(self, head: CacheHead, records: bytes) -> None:
        self.head = head
        self._records = records
        self.count = len(records) // _RECORD.size
        whole = memoryview(records)[: self.count * _RECORD.size]
        # Four times faster to search than the records, at 8 bytes each.
        self._starts = array("Q", (start for (start,) in _START.iter_unpack(whole)))

    def get(self, key: bytes) -> FolderRecord | None:
        """Return the record of the folder whose path hashes to `key`, or None."""
        at = bisect_left(self._starts, int.from_bytes(key[:_START_SIZE], "big"))
        while at < self.count:
            record = FolderRecord(*_RECORD.unpack_from(self._records, at * _RECORD.size))
            if record.key >= key:
                return record if record.key == key else None
            at += 1
        return None


class CacheWriter:
    """Collects packed records until the snapshot is stored."""

    def __init__(self) -> None:
        self._packed = bytearray()

    def add(self, record: FolderRecord) -> None:
        """Add a folder's record."""
        self._packed += _RECORD.pack(*record)

    def save(self, path: str, head: CacheHead) -> None:
        """Replace the cache at `path`; failing to write it is not an error."""
        line = orjson.dumps({"version": _VERSION, **head._asdict()}) + b"\n"
        temporary = f"{path}.{secrets.token_hex(6)}"
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            fd = os.open(temporary, TO_WRITE | NEW, 0o600)
            try:
                with open(fd, "wb") as file:
                    file.write(line)
                    file.writelines(self._sorted())
                os.replace(temporary, path)
            except OSError:
                os.unlink(temporary)
                raise

    def _sorted(self) -> Iterable[bytes]:
        return sorted(_split(bytes(self._packed)))


def _split(packed: bytes) -> Iterator[bytes]:
    size = _RECORD.size
    return (packed[start : start + size] for start in range(0, len(packed), size))


def is_outdated(path: str) -> bool:
    """Whether the cache is from an older version of the agent."""
    try:
        with open(path, "rb") as file:
            return int(orjson.loads(file.readline())["version"]) < _VERSION
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load_cache(path: str) -> TreeCache | None:
    """Load the cache at `path`; None if there is none or it cannot be read."""
    try:
        with open(path, "rb") as file:
            fields = orjson.loads(file.readline())
            if fields.pop("version") != _VERSION:
                return None
            names = {name: tuple(fields[name]) for name in ("indexes", "snapshots")}
            names["written"] = tuple(fields.get("written", ()))
            head = CacheHead(**(fields | names))
            return TreeCache(head, file.read())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
