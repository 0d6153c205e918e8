"""Resolves the paths of a backup and plans the walk over them."""

import contextlib
import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from nightsafe.errors import SourceError
from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.fs import windows, xattrs
from nightsafe.fs.files import list_names, read_link
from nightsafe.fs.status import Status
from nightsafe.fs.users import group_name, user_name
from nightsafe.repofile.tree import Node, go_mode, node_type
from nightsafe.scanner.lister import Lister, list_folder

OnError = Callable[[OSError], None]
_Found = TypeVar("_Found")
_GONE = (errno.ENOENT, errno.ENOTDIR)
"""Errors that mean that the path no longer exists."""


@dataclass
class SourcePlan:
    """The planned structure of a snapshot's tree, before anything is read.

    A leaf has `path`: it is archived with everything below it. Other nodes are directories on the
    way to leaves; `meta_path` is where their own metadata is read. `root` is the folder in which a
    first component was found. A leaf `is_listed` if its path was not given but found in a folder
    that was.
    """

    children: "dict[bytes, SourcePlan]" = field(default_factory=dict)
    path: bytes | None = None
    meta_path: bytes = b""
    root: bytes = b""
    is_listed: bool = False


def plan_sources(
    paths: Iterable[bytes], flavour: Any = os.path, *, entry_filter: EntryFilter | None = None
) -> SourcePlan:
    """Arrange the given paths as stock restic does.

    Absolute paths are placed below their ancestors, relative ones by their own components, ``.``
    and ``/`` as their contents. A Windows drive is a folder, ``C`` for ``C:``.

    `flavour` is the path syntax: `posixpath` or `ntpath`. `entry_filter` decides about entries that
    were listed here instead of given. OSError if a folder cannot be listed.
    """
    plan, found = SourcePlan(), dict[bytes, bool]()
    for path, is_listed in _expand(paths, flavour):
        found.setdefault(path, is_listed)
    for path, is_listed in found.items():
        _add(plan, path, flavour, is_listed=is_listed)
    _unroll(plan, flavour)
    if entry_filter is not None:
        _remove_excluded(plan, Lister(entry_filter))
    return plan


def _clean(path: bytes, flavour: Any) -> bytes:
    cleaned: bytes = flavour.normpath(path)
    return cleaned[1:] if flavour is posixpath and cleaned.startswith(b"//") else cleaned


def components(path: bytes, flavour: Any) -> list[bytes]:
    """Split a path into names; the first one is the drive, if there is one."""
    separator = os.fsencode(flavour.sep)
    drive, rest = flavour.splitdrive(path)
    parts = [part for part in _clean(separator + rest, flavour).split(separator) if part]
    return [windows.volume_name(drive), *parts] if drive else parts


def _expand(paths: Iterable[bytes], flavour: Any) -> Iterator[tuple[bytes, bool]]:
    """Yield the paths to plan for, and whether each was listed instead of given."""
    for given in paths:
        path = _clean(given, flavour)
        if flavour.splitdrive(path)[0] and not flavour.isabs(path):
            path = flavour.abspath(path)  # relative to the drive's working directory
        if components(path, flavour):
            yield path, False
        else:
            names = sorted(list_names(path))
            yield from ((_clean(flavour.join(path, name), flavour), True) for name in names)


def _root_of(path: bytes, flavour: Any) -> bytes:
    separator = os.fsencode(flavour.sep)
    drive, rest = flavour.splitdrive(path)
    if rest.startswith(separator) or drive:
        return bytes(drive + separator)
    ups = [part for part in path.split(separator) if part == b".."]
    return separator.join(ups) or b"."


def _add(plan: SourcePlan, path: bytes, flavour: Any, *, is_listed: bool) -> None:
    parts, root = components(path, flavour), _root_of(path, flavour)
    name = _free_name(plan, parts[0], root)
    child = plan.children.setdefault(name, SourcePlan(root=root))
    folder = root if flavour.splitdrive(root)[0] else flavour.join(root, parts[0])
    for part in parts[1:]:
        child.meta_path = _clean(folder, flavour)
        folder = flavour.join(folder, part)
        child = child.children.setdefault(part, SourcePlan())
    child.path, child.is_listed = path, is_listed


def _free_name(plan: SourcePlan, name: bytes, root: bytes) -> bytes:
    """Number folders of the same name from different roots, so that they can coexist."""
    candidate, number = name, 0
    while (other := plan.children.get(candidate)) is not None and other.root != root:
        number += 1
        candidate = name + b"-%d" % number
    return candidate


def _unroll(plan: SourcePlan, flavour: Any) -> None:
    """If one given path is inside another, list the outer one so that both become leaves."""
    todo = [plan]
    while todo:
        current = todo.pop()
        if current.path is not None and current.children:
            for name in list_names(current.path):
                child = current.children.setdefault(name, SourcePlan())
                if child.path is None:
                    child.path, child.is_listed = flavour.join(current.path, name), True
            current.meta_path, current.path = current.path, None
        todo.extend(current.children.values())


def _remove_excluded(plan: SourcePlan, lister: Lister) -> None:
    """Remove listed leaves that are excluded; unreadable ones stay and are reported later."""
    todo = [plan]
    while todo:
        current = todo.pop()
        for name, child in list(current.children.items()):
            if child.path is not None and child.is_listed and not _is_wanted(child.path, lister):
                del current.children[name]
        todo.extend(current.children.values())


def _is_wanted(path: bytes, lister: Lister) -> bool:
    try:
        return bool(lister.stat_entries([(os.path.basename(path), path)]))
    except OSError:
        return True


def leaves(plan: SourcePlan) -> list[bytes]:
    """Return the paths that are archived with everything below them."""
    found, todo = [], [plan]
    while todo:
        current = todo.pop()
        if current.path is not None:
            found.append(current.path)
        todo.extend(current.children.values())
    return found


def require_any(plan: SourcePlan) -> None:
    """Raise SourceError if there is nothing to back up."""
    if not plan.children:
        raise SourceError(
            "There is nothing to back up: none of the given paths exists, or all are excluded."
        )


def node_of(name: bytes, path: bytes, status: Status, on_error: OnError | None = None) -> Node:
    """Make the node of a file system entry, without contents. OSError if it cannot be read.

    If only extended attributes cannot be read, `on_error` is called, where given, and the node
    lacks them.
    """
    kind = node_type(status.st_mode)
    is_file, is_link = kind == "file", kind == "symlink"
    is_device = kind in ("dev", "chardev")
    return Node(
        name=name,
        type=kind,
        mode=go_mode(status.st_mode),
        mtime=status.st_mtime_ns,
        atime=status.st_mtime_ns,
        ctime=status.st_ctime_ns,
        uid=status.st_uid,
        gid=status.st_gid,
        user=user_name(status.st_uid),
        group=group_name(status.st_gid),
        inode=status.st_ino,
        device_id=status.st_dev,
        size=status.st_size if is_file else 0,
        links=status.st_nlink if is_file or is_link or is_device else 0,
        link_target=read_link(path) if is_link else b"",
        xattrs=() if is_link else tuple(_xattrs(path, on_error)),
        device=status.st_rdev if is_device else 0,
    )


def _xattrs(path: bytes, on_error: OnError | None) -> Iterator[tuple[bytes, bytes]]:
    for name in _attempt(partial(xattrs.ours.names, path), on_error) or ():
        value = _attempt(partial(xattrs.ours.value, path, name), on_error)
        if value is not None:
            yield name, value


def _attempt(read: Callable[[], _Found], on_error: OnError | None) -> _Found | None:
    """Return the result of `read`; None if there is nothing for us, or after `on_error`."""
    try:
        return read()
    except OSError as error:
        if error.errno in xattrs.NONE_THERE:
            return None
        if on_error is None or error.errno in _GONE:
            raise
        on_error(error)
        return None


def count_sources(
    paths: Iterable[bytes], entry_filter: EntryFilter | None = None
) -> tuple[int, int]:
    """Count the regular files at and below the paths, and their bytes, as a forecast.

    Excluded entries are not counted, errors are ignored.
    """
    lister, files, size = Lister(entry_filter), 0, 0
    seen = Lister(None).stat_entries([(path, path) for path in paths], [])
    while seen:
        _, path, status = seen.pop()
        if stat.S_ISDIR(status.st_mode):
            with contextlib.suppress(OSError):
                seen += lister.stat_entries(list_folder(path), [])
        elif stat.S_ISREG(status.st_mode):
            files, size = files + 1, size + status.st_size
    return files, size
