"""Owners, modes, extended attributes and times of restored entries."""

import os
import stat
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from nightsafe import xattrs
from nightsafe.system import gives_files_away
from nightsafe.tree import Node, posix_permissions

_SET_ID = stat.S_ISUID | stat.S_ISGID


Described = tuple[str, int, int, int, int, int, tuple[tuple[bytes, bytes], ...]]
"""What `Attributes` holds, as plain values: quick to make, and on their way between processes."""


class Attributes(NamedTuple):
    """What a node says of an entry besides its contents; fields and units as in `Node`."""

    type: str
    mode: int
    uid: int
    gid: int
    atime: int
    mtime: int
    xattrs: tuple[tuple[bytes, bytes], ...]


described: Callable[[Node], Described]
described = itemgetter(*(Node._fields.index(field) for field in Attributes._fields))
"""The attributes of a node."""


def restore_at(file: int | bytes, node: Node | Attributes) -> list[str]:
    """Set everything on a file or folder; returns what could not be set, as words.

    `file` is its descriptor, or its path where nothing on the way is a link, nor the file. The
    order matters: a new owner drops capabilities and set-id bits, attributes need the permission
    to write, and so do times where files are reached by their paths.
    """
    status = os.stat(file)
    lost: list[str] = []
    if (status.st_uid, status.st_gid) != (node.uid, node.gid):
        lost = _attempt("owner", lambda: _own(file, node))
        status = os.stat(file)
    for name, value in node.xattrs:
        lost += _attempt(
            f"attribute {os.fsdecode(name)}",
            lambda name=name, value=value: xattrs.ours.put(file, name, value),  # type: ignore[misc]
        )
    if isinstance(file, bytes):
        lost += _attempt("times", lambda: os.utime(file, ns=(node.atime, node.mtime)))
    lost += _attempt("mode", lambda: os.chmod(file, _permissions(node, status)))
    if isinstance(file, int):
        lost += _attempt("times", lambda: os.utime(file, ns=(node.atime, node.mtime)))
    return lost


def restore_named(name: bytes, node: Node | Attributes, *, dir_fd: int) -> list[str]:
    """The same for an entry that cannot be opened: a symbolic link, a fifo, a device."""
    lost: list[str] = []
    if gives_files_away():
        lost += _attempt(
            "owner",
            lambda: os.chown(name, node.uid, node.gid, dir_fd=dir_fd, follow_symlinks=False),
        )
    if node.type != "symlink":
        status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        lost += _attempt("mode", lambda: os.chmod(name, _permissions(node, status), dir_fd=dir_fd))
    lost += _attempt(
        "times",
        lambda: os.utime(name, ns=(node.atime, node.mtime), dir_fd=dir_fd, follow_symlinks=False),
    )
    return lost


def restore_link(path: bytes, node: Node | Attributes) -> list[str]:
    """The same for a link at a path; on Windows, as for stock restic, links have no times."""
    lost: list[str] = []
    if gives_files_away():
        chown = partial(os.chown, path, node.uid, node.gid, follow_symlinks=False)
        lost += _attempt("owner", chown)
    if os.utime in os.supports_follow_symlinks:
        times = partial(os.utime, path, ns=(node.atime, node.mtime), follow_symlinks=False)
        lost += _attempt("times", times)
    return lost


def _own(file: int | bytes, node: Node | Attributes) -> None:
    if gives_files_away():
        os.chown(file, node.uid, node.gid)


def _permissions(node: Node | Attributes, status: os.stat_result) -> int:
    """The mode to set. Set-id bits go only to the owner and group they were meant for."""
    mode = posix_permissions(node.mode)
    if (status.st_uid, status.st_gid) != (node.uid, node.gid) and node.type != "dir":
        mode &= ~_SET_ID
    return mode


def _attempt(what: str, action: Callable[[], None]) -> list[str]:
    try:
        action()
    except (OSError, OverflowError, ValueError):
        return [what]
    return []
