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
from nightsafe.fs.status import Seen, Status

try:
    from nightsafe._native import stat as native
except ImportError:  # not built here
    native = None  # type: ignore[assignment]

RECORD = struct.Struct("<10Q")
"""Mode, size, inode, owner, group, links, device, device number, changed, status changed; of the
times the lower 64 bits, which begin anew after 585 years."""
_SHORT = (1 << 64) - 1
_LENGTH = struct.Struct("<Q")


def portable_look(paths: list[bytes]) -> list[Status | int]:
    """Return for each path its status, or the errno of a failed `lstat`."""
    found: list[Status | int] = []
    for path in paths:
        try:
            found.append(lstat(path))
        except OSError as error:
            found.append(error.errno or 0)
    return found


def portable_record(entries: Sequence[Seen]) -> bytes:
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


Survey = tuple[bytes, bytes, list[bytes]] | int | None
"""A folder's names in order with zeros between them, the record of its entries, and the names of
folders in it; None if it has too many entries; the errno if something cannot be looked at."""


def portable_survey(paths: list[bytes], most: int) -> list[Survey]:
    """List whole folders with `lstat` data; None for each of more than `most` entries."""
    return [_survey_of(path, most) for path in paths]


def _survey_of(path: bytes, most: int) -> Survey:
    try:
        names = sorted(list_names(path))
        if len(names) > most:
            return None
        seen: list[Seen] = []
        for name in names:
            inner = os.path.join(path, name)
            seen.append((name, inner, lstat(inner)))
    except OSError as error:
        return error.errno or 0
    folders = [name for name, _, status in seen if stat.S_ISDIR(status.st_mode)]
    return b"\0".join(names), portable_record(seen), folders


def portable_load(path: bytes, status: Status, room: memoryview) -> bool | None:
    """Read a file's content into `room`, from its beginning.

    Returns whether the file may have extended attributes; None if it does not match `status` or
    cannot be read. ValueError unless `room` is larger than the file.
    """
    if status.st_size >= len(room):
        raise ValueError("There is no room here for the file.")
    try:
        fd = open_to_read(path)
    except OSError:
        return None
    try:
        data = os.read(fd, status.st_size + 1)
        room[: len(data)] = data
        if len(data) == status.st_size and _identity(fstat(fd)) == _identity(status):
            return may_have_xattrs(fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    return None


def may_have_xattrs(file: bytes | int) -> bool:
    """Whether it is worth asking for extended attributes; where nobody can tell, it is."""
    try:
        return bool(xattrs.ours.names(file))
    except OSError:
        return True


def _identity(status: Status) -> tuple[int, int, int, int, int]:
    """What changes when a path comes to mean another file, or its content changes."""
    return status.st_ino, status.st_dev, status.st_mode, status.st_size, status.st_mtime_ns


look: Callable[[list[bytes]], Sequence[Status | int]]
if TYPE_CHECKING or native is None:
    look, record, load = portable_look, portable_record, portable_load
    survey = portable_survey
else:
    look, record, load, survey = native.look, native.record, native.load, native.survey

IS_NATIVE = native is not None
"""Whether looking leaves other threads running."""
