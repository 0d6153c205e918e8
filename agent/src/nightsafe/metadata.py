"""Owners, modes, extended attributes and times of restored entries."""

import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from nightsafe.tree import Node, posix_permissions

_SET_ID = stat.S_ISUID | stat.S_ISGID


class Attributes(NamedTuple):
    """What a node says of an entry besides its contents; fields and units as in `Node`."""

    type: str
    mode: int
    uid: int
    gid: int
    atime: int
    mtime: int
    xattrs: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, node: Node) -> "Attributes":
        """The attributes of a node."""
        return cls(node.type, node.mode, node.uid, node.gid, node.atime, node.mtime, node.xattrs)


def restore_open(fd: int, node: Node | Attributes) -> list[str]:
    """Set everything on an open file or folder; returns what could not be set, as words.

    The order matters: a new owner drops capabilities and set-id bits, attributes need the
    permission to write, and times come last.
    """
    status = os.fstat(fd)
    lost: list[str] = []
    if (status.st_uid, status.st_gid) != (node.uid, node.gid):
        lost = _attempt("owner", lambda: _own(fd, node))
        status = os.fstat(fd)
    for name, value in node.xattrs:
        lost += _attempt(
            f"attribute {os.fsdecode(name)}",
            lambda name=name, value=value: os.setxattr(fd, name, value),  # type: ignore[misc]
        )
    lost += _attempt("mode", lambda: os.chmod(fd, _permissions(node, status)))
    lost += _attempt("times", lambda: os.utime(fd, ns=(node.atime, node.mtime)))
    return lost


def restore_named(name: bytes, node: Node | Attributes, *, dir_fd: int) -> list[str]:
    """The same for an entry that cannot be opened: a symbolic link, a fifo, a device."""
    lost: list[str] = []
    if os.geteuid() == 0:
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


def _own(fd: int, node: Node | Attributes) -> None:
    if os.geteuid() == 0:
        os.chown(fd, node.uid, node.gid)


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
