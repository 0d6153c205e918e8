"""The way in: what lstat says of a folder's entries, many at a time.

Most of an unchanged backup is this. `_look` does it in C where it could be built; what it
gives is an `os.stat_result` as far as a backup needs one.
"""

import os
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

try:
    from nightsafe import _look
except ImportError:  # not built here
    _look = None  # type: ignore[assignment]

RECORD = struct.Struct("<8Q2q")
"""Mode, size, inode, owner, group, links, device, device number, changed, status changed."""
_LENGTH = struct.Struct("<Q")


class Status(Protocol):
    """What a backup needs of `os.stat_result`; times are in nanoseconds since 1970."""

    @property
    def st_mode(self) -> int: ...
    @property
    def st_size(self) -> int: ...
    @property
    def st_ino(self) -> int: ...
    @property
    def st_uid(self) -> int: ...
    @property
    def st_gid(self) -> int: ...
    @property
    def st_nlink(self) -> int: ...
    @property
    def st_dev(self) -> int: ...
    @property
    def st_rdev(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...
    @property
    def st_ctime_ns(self) -> int: ...


Seen = tuple[bytes, bytes, Status]
"""An entry: its name, its path, and what lstat says."""


def portable_look(paths: list[bytes]) -> list[os.stat_result | int]:
    """What `_look.look` does: for each path its status, or the errno that lstat gave."""
    found: list[os.stat_result | int] = []
    for path in paths:
        try:
            found.append(os.lstat(path))
        except OSError as error:
            found.append(error.errno or 0)
    return found


def portable_record(entries: Sequence[Seen]) -> bytes:
    """What `_look.record` does: a text that stands for the entries, in their order."""
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
            s.st_mtime_ns,
            s.st_ctime_ns,
        )
        for name, _, s in entries
    )


look: Callable[[list[bytes]], Sequence[Status | int]]
if TYPE_CHECKING or _look is None:
    look, record = portable_look, portable_record
else:
    look, record = _look.look, _look.record
