"""Sets owners, modes, extended attributes and times of restored entries."""

import contextlib
import os
import stat
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from nightsafe.fs import xattrs
from nightsafe.fs.users import gives_files_away
from nightsafe.repofile.tree import Node, posix_permissions
from nightsafe.target.access_rights import (
    ACCESS_LIST,
    DEFAULT_LIST,
    list_without_group,
    mode_within_list,
    mode_without_group,
    mode_without_list,
    wanted_mode,
)

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
    order matters: a new owner drops capabilities and set-id bits, an access list speaks of the
    group, a mode set before the list would let others in, attributes need the permission to
    write, and so do times where files are reached by their paths.
    """
    status = os.stat(file)
    lost = _hand_over(status, node, lambda uid, gid: os.chown(file, uid, gid))
    if lost or (status.st_uid, status.st_gid) != (node.uid, node.gid):
        status = os.stat(file)
    mode, not_set = _set_attributes(file, node, status)
    lost += not_set
    if isinstance(file, bytes):
        lost += _attempt("times", lambda: os.utime(file, ns=(node.atime, node.mtime)))
    lost += _attempt("mode", lambda: os.chmod(file, mode))
    if isinstance(file, int):
        lost += _attempt("times", lambda: os.utime(file, ns=(node.atime, node.mtime)))
    return lost


def settle(file: int | bytes, node: Node | Attributes) -> list[str]:
    """`restore_at` for what was there before: as little as possible, and nobody is let in."""
    status, spare = os.stat(file), _spare(file, node)
    is_owned = (status.st_uid, status.st_gid) == (node.uid, node.gid)
    is_so = is_owned and stat.S_IMODE(status.st_mode) == _mode(node, status)
    is_so = is_so and status.st_mtime_ns == node.mtime and not spare
    if is_so and _holds(file, node.xattrs):
        return []
    with contextlib.suppress(OSError):  # of somebody else; what that means is told below
        narrow(file, node)
    lost: list[str] = []
    for name in spare:
        lost += _drop(file, name)
    return lost + restore_at(file, node)


def _spare(file: int | bytes, node: Node | Attributes) -> list[bytes]:
    """The names of the attributes that users set and that the node does not have."""
    try:
        there = xattrs.ours.names(file)
    except OSError:
        return []
    wanted = {name for name, _ in node.xattrs}
    return [
        name
        for name in there
        if name not in wanted and (name.startswith(b"user.") or name in (ACCESS_LIST, DEFAULT_LIST))
    ]


def _holds(file: int | bytes, attributes: tuple[tuple[bytes, bytes], ...]) -> bool:
    try:
        return all(xattrs.ours.value(file, name) == value for name, value in attributes)
    except OSError:
        return False


def restore_named(name: bytes, node: Node | Attributes, *, dir_fd: int) -> list[str]:
    """The same for an entry that cannot be opened: a symbolic link, a fifo, a device."""
    status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    chown = partial(os.chown, name, dir_fd=dir_fd, follow_symlinks=False)
    lost = _hand_over(status, node, chown)
    if node.type != "symlink":
        status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        mode = _mode(node, status)
        lost += _drop(b"/proc/self/fd/%d/%s" % (dir_fd, name), ACCESS_LIST)
        if status.st_gid != node.gid:
            mode, lost = mode_without_group(mode), lost + _less(mode)
        lost += _attempt("mode", lambda: os.chmod(name, mode, dir_fd=dir_fd))
    lost += _attempt(
        "times",
        lambda: os.utime(name, ns=(node.atime, node.mtime), dir_fd=dir_fd, follow_symlinks=False),
    )
    return lost


def restore_link(path: bytes, node: Node | Attributes) -> list[str]:
    """The same for a link at a path; on Windows, as for stock restic, links have no times."""
    lost: list[str] = []
    if hasattr(os, "geteuid"):
        chown = partial(os.chown, path, follow_symlinks=False)
        lost += _hand_over(os.lstat(path), node, chown)
    if os.utime in os.supports_follow_symlinks:
        times = partial(os.utime, path, ns=(node.atime, node.mtime), follow_symlinks=False)
        lost += _attempt("times", times)
    return lost


def narrow(file: int | bytes, node: Node | Attributes) -> None:
    """Let nobody into a file or folder that was there before who may not be let in in the end.

    It is yet to get its group and its mode. OSError if it belongs to somebody else.
    """
    status = os.stat(file)
    mode, wanted = stat.S_IMODE(status.st_mode), posix_permissions(node.mode)
    if status.st_gid != node.gid or _has(file, ACCESS_LIST):
        wanted = mode_without_group(wanted) & mode_without_group(mode)
    narrowed = mode & (wanted | ~0o077)
    if narrowed != mode:
        os.chmod(file, narrowed)


def _hand_over(
    status: os.stat_result, node: Node | Attributes, chown: Callable[[int, int], None]
) -> list[str]:
    """Set the owner and the group, or the group alone, as far as we may."""
    if (status.st_uid, status.st_gid) == (node.uid, node.gid):
        return []
    if gives_files_away():
        return _attempt("owner", lambda: chown(node.uid, node.gid))
    if status.st_gid != node.gid and hasattr(os, "geteuid"):
        _attempt("group", lambda: chown(-1, node.gid))  # what that means is told with the mode
    return []


def _set_attributes(
    file: int | bytes, node: Node | Attributes, status: os.stat_result
) -> tuple[int, list[str]]:
    """Set the extended attributes; returns the mode that goes with them, and what was lost."""
    mode, lost, has_list = _mode(node, status), [], False
    has_group = status.st_gid == node.gid
    for name, value in node.xattrs:
        if name != ACCESS_LIST:
            lost += _put(file, name, value)
            continue
        has_list = True
        try:
            given = value if has_group else list_without_group(value)
            xattrs.ours.put(file, name, given)
            if not has_group:
                lost += _less(mode) if given != value else []
                mode &= ~stat.S_ISGID
            mode = mode_within_list(mode, given)
        except (OSError, OverflowError, ValueError):
            mode = mode_without_list(mode if has_group else mode_without_group(mode), value)
            lost.append(f"attribute {os.fsdecode(name)}")
    if not has_list:
        lost += _drop(file, ACCESS_LIST)
        if not has_group:
            mode, lost = mode_without_group(mode), lost + _less(mode)
    if node.type == "dir" and DEFAULT_LIST not in dict(node.xattrs):
        lost += _drop(file, DEFAULT_LIST)
    return mode, lost


def _put(file: int | bytes, name: bytes, value: bytes) -> list[str]:
    return _attempt(f"attribute {os.fsdecode(name)}", lambda: xattrs.ours.put(file, name, value))


def _drop(file: int | bytes, name: bytes) -> list[str]:
    """Take an access list away that an entry has from its folder, or from before."""
    if not _has(file, name):
        return []
    return _attempt(f"attribute {os.fsdecode(name)}", lambda: xattrs.ours.drop(file, name))


def _has(file: int | bytes, name: bytes) -> bool:
    try:
        xattrs.ours.value(file, name)
    except OSError:
        return False
    return True


def hands_down_rights(folder: int) -> bool:
    """Whether what is made in an open folder has an access list from the beginning."""
    return _has(folder, DEFAULT_LIST)


def _mode(node: Node | Attributes, status: os.stat_result) -> int:
    return wanted_mode(
        node.mode,
        is_folder=node.type == "dir",
        is_owned=(status.st_uid, status.st_gid) == (node.uid, node.gid),
    )


def _less(mode: int) -> list[str]:
    """What to say of a mode from which a group's rights are taken."""
    return [] if mode_without_group(mode) == mode else ["group, whose rights were taken away"]


def _attempt(what: str, action: Callable[[], None]) -> list[str]:
    try:
        action()
    except (OSError, OverflowError, ValueError):
        return [what]
    return []
