"""Keeps restored entries from being accessible to more people than the originals.

A mode grants rights to a group, an access list to users and groups. If the intended group or list
cannot be set, the rights of whichever group the entry has are limited to those of others, and those
of others to what the group had.
"""

import stat
import struct
from collections.abc import Iterable
from typing import NamedTuple

from nightsafe.repofile.tree import posix_permissions

ACCESS_LIST = b"system.posix_acl_access"
DEFAULT_LIST = b"system.posix_acl_default"
SET_IDS = stat.S_ISUID | stat.S_ISGID
_VERSION, _HEADER, _ENTRY = 2, struct.Struct("<I"), struct.Struct("<HHI")
_OWNER, _GROUP, _MASK, _OTHERS = 0x01, 0x04, 0x10, 0x20


class Entry(NamedTuple):
    """An entry of an access list: a kind, its rights and, for some kinds, a user or group id."""

    kind: int
    rights: int
    number: int


def read_list(value: bytes) -> list[Entry]:
    """Decode an access list as Linux stores it; ValueError if it is invalid."""
    body = value[_HEADER.size :]
    if value[: _HEADER.size] != _HEADER.pack(_VERSION) or len(body) % _ENTRY.size:
        raise ValueError("access list")
    return [Entry(*fields) for fields in _ENTRY.iter_unpack(body)]


def write_list(entries: Iterable[Entry]) -> bytes:
    """Encode an access list; the reverse of `read_list`."""
    return _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)


def list_without_group(value: bytes) -> bytes:
    """Restrict an access list for a file whose group could not be set. ValueError if invalid."""
    entries = read_list(value)
    both = 7
    for entry in entries:
        if entry.kind in (_GROUP, _OTHERS):
            both &= entry.rights
    return write_list(
        entry._replace(rights=both) if entry.kind in (_GROUP, _OTHERS) else entry
        for entry in entries
    )


def mode_without_list(mode: int, value: bytes) -> int:
    """Return the mode to use if an access list could not be set: rights that all share."""
    try:
        entries = read_list(value)
    except ValueError:
        return mode & ~0o077
    both = 7
    for entry in entries:
        if entry.kind != _OWNER:
            both &= entry.rights
    return mode & (~0o077 | both << 3 | both)


def mode_within_list(mode: int, value: bytes) -> int:
    """Return the mode that matches an access list, where the group bits are its mask."""
    found = {entry.kind: entry.rights for entry in read_list(value)}
    group = found.get(_MASK, found.get(_GROUP, 0))
    return mode & (~0o077 | group << 3 | found.get(_OTHERS, 0))


def mode_without_group(mode: int) -> int:
    """Return the mode for an entry whose group could not be set."""
    both = mode >> 3 & mode & 7
    return mode & ~(stat.S_ISGID | 0o077) | both << 3 | both


def effective_mode(mode: int, *, is_folder: bool, is_owned: bool) -> int:
    """Return the permissions in Go's `mode`, without set-id bits for other owners.

    Set-id bits are kept if the entry `is_owned` by the intended owner and group, and for folders,
    where they grant no rights.
    """
    found = posix_permissions(mode)
    return found if is_folder or is_owned else found & ~SET_IDS
