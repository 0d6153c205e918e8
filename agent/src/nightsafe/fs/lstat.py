"""Batched `lstat` and directory listing.

Most of an unchanged backup is this. `_stat` does it in C where it could be built; what it
gives is an `os.stat_result` as far as a backup needs one.
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
    from nightsafe._native import stat as _stat
except ImportError:  # not built here
    _stat = None  # type: ignore[assignment]

RECORD = struct.Struct("<10Q")
"""Mode, size, inode, owner, group, links, device, device number, changed, status changed; of the
times the lower 64 bits, which begin anew after 585 years."""
_SHORT = (1 << 64) - 1
_LENGTH = struct.Struct("<Q")


def portable_look(paths: list[bytes]) -> list[Status | int]:
    """What `_stat.look` does: for each path its status, or the errno that lstat gave."""
    found: list[Status | int] = []
    for path in paths:
        try:
            found.append(lstat(path))
        except OSError as error:
            found.append(error.errno or 0)
    return found


def portable_record(entries: Sequence[Seen]) -> bytes:
    """What `_stat.record` does: a text that stands for the entries, in their order."""
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
    """What `_stat.survey` does: look at whole folders; None for those of more than `most`."""
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
    """What `_stat.load` does: read a file's content to the beginning of `room`.

    Returns whether the file may have extended attributes; None if it is not what `status` says,
    or cannot be read. ValueError unless there is room for one byte more than its size.
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
if TYPE_CHECKING or _stat is None:
    look, record, load = portable_look, portable_record, portable_load
    survey = portable_survey
else:
    look, record, load, survey = _stat.look, _stat.record, _stat.load, _stat.survey

IS_NATIVE = _stat is not None
"""Whether looking leaves other threads running."""
