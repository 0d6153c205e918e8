"""Sets owners, modes, extended attributes and times of restored entries."""

import contextlib
import os
import stat
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from nightsafe.fs import xattrs
from nightsafe.fs.users import may_change_owners
from nightsafe.repofile.tree import Node, posix_permissions
from nightsafe.target.access_rights import (
    ACCESS_LIST,
    DEFAULT_LIST,
    effective_mode,
    list_without_group,
    mode_within_list,
    mode_without_group,
    mode_without_list,
)

RawAttributes = tuple[str, int, int, int, int, int, tuple[tuple[bytes, bytes], ...]]
"""The fields of `Attributes`, as a plain tuple: fast to make and to send between processes."""


class Attributes(NamedTuple):
    """A node's attributes, without its contents; fields and units as in `Node`."""

    type: str
    mode: int
    uid: int
    gid: int
    atime: int
    mtime: int
    xattrs: tuple[tuple[bytes, bytes], ...]


raw_attributes: Callable[[Node], RawAttributes]
raw_attributes = itemgetter(*(Node._fields.index(field) for field in Attributes._fields))
"""Return the attributes of a node."""


def restore_at(file: int | bytes, node: Node | Attributes) -> list[str]:
    """Set all attributes of a file or folder; returns the names of those that failed.

    `file` is a descriptor, or a path without links. The order matters: changing the owner drops
    capabilities and set-id bits; an access list refers to the group; a mode set before the list
    would let others in; extended attributes, and times set by path, need write permission.
    """
    status = os.stat(file)
    lost = _chown(status, node, lambda uid, gid: os.chown(file, uid, gid))
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


def update_at(file: int | bytes, node: Node | Attributes) -> list[str]:
    """Like `restore_at` for an existing entry: changes only what differs, and lets nobody in."""
    status, spare = os.stat(file), _surplus(file, node)
    is_owned = (status.st_uid, status.st_gid) == (node.uid, node.gid)
    is_so = is_owned and stat.S_IMODE(status.st_mode) == _mode(node, status)
    is_so = is_so and status.st_mtime_ns == node.mtime and not spare
    if is_so and _holds(file, node.xattrs):
        return []
    with contextlib.suppress(OSError):  # owned by somebody else; reported below
        restrict(file, node)
    lost: list[str] = []
    for name in spare:
        lost += _drop(file, name)
    return lost + restore_at(file, node)


def _surplus(file: int | bytes, node: Node | Attributes) -> list[bytes]:
    """Return the names of user-set extended attributes that the node does not have."""
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
    """Like `restore_at`, for an entry that cannot be opened: a link, a fifo, a device."""
    status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    chown = partial(os.chown, name, dir_fd=dir_fd, follow_symlinks=False)
    lost = _chown(status, node, chown)
    if node.type != "symlink":
        status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        mode = _mode(node, status)
        lost += _drop(b"/proc/self/fd/%d/%s" % (dir_fd, name), ACCESS_LIST)
        if status.st_gid != node.gid:
            mode, lost = mode_without_group(mode), lost + _lost_group(mode)
        lost += _attempt("mode", lambda: os.chmod(name, mode, dir_fd=dir_fd))
    lost += _attempt(
        "times",
        lambda: os.utime(name, ns=(node.atime, node.mtime), dir_fd=dir_fd, follow_symlinks=False),
    )
    return lost


def restore_link(path: bytes, node: Node | Attributes) -> list[str]:
    """Like `restore_at`, for a link at a path; on Windows links have no times, as in restic."""
    lost: list[str] = []
    if hasattr(os, "geteuid"):
        chown = partial(os.chown, path, follow_symlinks=False)
        lost += _chown(os.lstat(path), node, chown)
    if os.utime in os.supports_follow_symlinks:
        times = partial(os.utime, path, ns=(node.atime, node.mtime), follow_symlinks=False)
        lost += _attempt("times", times)
    return lost


def restrict(file: int | bytes, node: Node | Attributes) -> None:
    """Deny access to an existing entry for all who will have none in the end.

    It is yet to get its group and mode. OSError if it belongs to somebody else.
    """
    status = os.stat(file)
    mode, wanted = stat.S_IMODE(status.st_mode), posix_permissions(node.mode)
    if status.st_gid != node.gid or _has(file, ACCESS_LIST):
        wanted = mode_without_group(wanted) & mode_without_group(mode)
    restricted = mode & (wanted | ~0o077)
    if restricted != mode:
        os.chmod(file, restricted)


def _chown(
    status: os.stat_result, node: Node | Attributes, chown: Callable[[int, int], None]
) -> list[str]:
    """Set owner and group, or the group alone, as far as permitted."""
    if (status.st_uid, status.st_gid) == (node.uid, node.gid):
        return []
    if may_change_owners():
        return _attempt("owner", lambda: chown(node.uid, node.gid))
    if status.st_gid != node.gid and hasattr(os, "geteuid"):
        _attempt("group", lambda: chown(-1, node.gid))  # a failure is reported with the mode
    return []


def _set_attributes(
    file: int | bytes, node: Node | Attributes, status: os.stat_result
) -> tuple[int, list[str]]:
    """Set extended attributes; returns the mode that goes with them, and what failed."""
    mode, lost, has_list = _mode(node, status), [], False
    has_group = status.st_gid == node.gid
    for name, value in node.xattrs:
        if name != ACCESS_LIST:
            lost += _put(file, name, value)
            continue
        has_list = True
        try:
            given = value if has_group else list_without_group(value)
            xattrs.ours.set(file, name, given)
            if not has_group:
                lost += _lost_group(mode) if given != value else []
                mode &= ~stat.S_ISGID
            mode = mode_within_list(mode, given)
        except (OSError, OverflowError, ValueError):
            mode = mode_without_list(mode if has_group else mode_without_group(mode), value)
            lost.append(f"attribute {os.fsdecode(name)}")
    if not has_list:
        lost += _drop(file, ACCESS_LIST)
        if not has_group:
            mode, lost = mode_without_group(mode), lost + _lost_group(mode)
    if node.type == "dir" and DEFAULT_LIST not in dict(node.xattrs):
        lost += _drop(file, DEFAULT_LIST)
    return mode, lost


def _put(file: int | bytes, name: bytes, value: bytes) -> list[str]:
    return _attempt(f"attribute {os.fsdecode(name)}", lambda: xattrs.ours.set(file, name, value))


def _drop(file: int | bytes, name: bytes) -> list[str]:
    """Remove an access list that an entry inherited from its folder or had before."""
    if not _has(file, name):
        return []
    return _attempt(f"attribute {os.fsdecode(name)}", lambda: xattrs.ours.remove(file, name))


def _has(file: int | bytes, name: bytes) -> bool:
    try:
        xattrs.ours.value(file, name)
    except OSError:
        return False
    return True


def has_default_acl(folder: int) -> bool:
    """Whether new entries in an open folder inherit an access list."""
    return _has(folder, DEFAULT_LIST)


def _mode(node: Node | Attributes, status: os.stat_result) -> int:
    return effective_mode(
        node.mode,
        is_folder=node.type == "dir",
        is_owned=(status.st_uid, status.st_gid) == (node.uid, node.gid),
    )


def _lost_group(mode: int) -> list[str]:
    """Describe a mode whose group rights had to be removed."""
    return [] if mode_without_group(mode) == mode else ["group, whose rights were taken away"]


def _attempt(what: str, action: Callable[[], None]) -> list[str]:
    try:
        action()
    except (OSError, OverflowError, ValueError):
        return [what]
    return []
