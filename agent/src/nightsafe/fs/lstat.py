"""Batched `lstat` and directory listing.

An unchanged backup spends most of its time here, so a C extension does it where it is built. Its
results have those fields of `os.stat_result` that a backup needs.
"""

import os
import stat
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nightsafe.fs import xattrs
from nightsafe.fs.files import fstat, list_names, lstat, open_to_read
from nightsafe.fs.status import StatEntry, Status

try:
    from nightsafe._native import stat as native
except ImportError:  # not built here
    native = None  # type: ignore[assignment]

RECORD = struct.Struct("<10Q")
"""Mode, size, inode, uid, gid, links, device, device number, mtime and ctime; of the times the
lower 64 bits, which wrap after 585 years."""
_SHORT = (1 << 64) - 1
_LENGTH = struct.Struct("<Q")


def portable_lstat_all(paths: list[bytes]) -> list[Status | int]:
    """Return for each path its status, or the errno of a failed `lstat`."""
    found: list[Status | int] = []
    for path in paths:
        try:
            found.append(lstat(path))
        except OSError as error:
            found.append(error.errno or 0)
    return found


def portable_record(entries: Sequence[StatEntry]) -> bytes:
    """Serialize entries, in their order, for a fingerprint: each name and its `stat` fields."""
    return b"".join(
        _LENGTH.pack(len(name))
        + name
        + RECORD.pack(
            s.st_mode,
            s.st_size,
            s.st_ino,
            s.st_uid,
            s.st_gid,
            s.st_nlink,
            s.st_dev,
            s.st_rdev,
            s.st_mtime_ns & _SHORT,
            s.st_ctime_ns & _SHORT,
        )
        for name, _, s in entries
    )


FolderListing = tuple[bytes, bytes, list[bytes]] | int | None
"""A folder's sorted names, NUL-separated, its serialized entries, and the names of its subfolders;
None if it has too many entries; the errno if an entry cannot be read."""


def portable_list_folders(paths: list[bytes], most: int) -> list[FolderListing]:
    """List whole folders with `lstat` data; None for each of more than `most` entries."""
    return [_survey_of(path, most) for path in paths]


def _survey_of(path: bytes, most: int) -> FolderListing:
    try:
        names = sorted(list_names(path))
        if len(names) > most:
            return None
        seen: list[StatEntry] = []
        for name in names:
            inner = os.path.join(path, name)
            seen.append((name, inner, lstat(inner)))
    except OSError as error:
        return error.errno or 0
    folders = [name for name, _, status in seen if stat.S_ISDIR(status.st_mode)]
    return b"\0".join(names), portable_record(seen), folders


def portable_load(path: bytes, status: Status, buffer: memoryview) -> bool | None:
    """Read a file's content into `buffer`, from its beginning.

    Returns whether the file may have extended attributes; None if it does not match `status` or
    cannot be read. ValueError unless `buffer` is larger than the file.
    """
    if status.st_size >= len(buffer):
        raise ValueError("There is no room here for the file.")
    try:
        fd = open_to_read(path)
    except OSError:
        return None
    try:
        data = os.read(fd, status.st_size + 1)
        buffer[: len(data)] = data
        if len(data) == status.st_size and _identity(fstat(fd)) == _identity(status):
            return may_have_xattrs(fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    return None


def may_have_xattrs(file: bytes | int) -> bool:
    """Whether a file may have extended attributes; True if that cannot be told."""
    try:
        return bool(xattrs.ours.names(file))
    except OSError:
        return True


def _identity(status: Status) -> tuple[int, int, int, int, int]:
    """The fields that change if a path refers to another file or the content changes."""
    return status.st_ino, status.st_dev, status.st_mode, status.st_size, status.st_mtime_ns


lstat_all: Callable[[list[bytes]], Sequence[Status | int]]
if TYPE_CHECKING or native is None:
    lstat_all, record, load = portable_lstat_all, portable_record, portable_load
    list_folders = portable_list_folders
else:
    lstat_all, record, load, list_folders = native.look, native.record, native.load, native.survey

IS_NATIVE = native is not None
"""Whether these functions release the interpreter lock."""
