"""Keeps restored entries from being open to more people than what was backed up.

A mode speaks of a group, and an access list of users and groups. Where the group cannot be the
one that was meant, or the list cannot be set, the rights of the group that stands there instead
must be those that everybody has, and everybody's those that the group had.
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
    """One line of an access list: for whom (a kind and, for some kinds, a number), and what."""

    kind: int
    rights: int
    number: int


def read_list(value: bytes) -> list[Entry]:
    """The entries of an access list as Linux stores it; ValueError if it is none."""
    body = value[_HEADER.size :]
    if value[: _HEADER.size] != _HEADER.pack(_VERSION) or len(body) % _ENTRY.size:
        raise ValueError("access list")
    return [Entry(*fields) for fields in _ENTRY.iter_unpack(body)]


def write_list(entries: Iterable[Entry]) -> bytes:
    """What `read_list` reads."""
    return _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)


def list_without_group(value: bytes) -> bytes:
    """The access list for a file whose group could not be set. ValueError if it is none."""
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
    """The mode where an access list could not be set: what all have that it names."""
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
    """The mode that goes with an access list that was set, in which the group's bits are a mask."""
    found = {entry.kind: entry.rights for entry in read_list(value)}
    group = found.get(_MASK, found.get(_GROUP, 0))
    return mode & (~0o077 | group << 3 | found.get(_OTHERS, 0))


def mode_without_group(mode: int) -> int:
    """The mode of a file or folder whose group could not be set."""
    both = mode >> 3 & mode & 7
    return mode & ~(stat.S_ISGID | 0o077) | both << 3 | both


def wanted_mode(mode: int, *, is_folder: bool, is_owned: bool) -> int:
    """The permissions in Go's `mode`. Set-id bits go only to the owner and group that they were
    meant for, if it `is_owned` by those; in a folder they give no rights."""
    found = posix_permissions(mode)
    return found if is_folder or is_owned else found & ~SET_IDS
