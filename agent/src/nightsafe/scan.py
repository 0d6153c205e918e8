"""The way in, first step: which paths a backup has, and what the file system says of each."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from grp import getgrgid
from pwd import getpwuid

from nightsafe.errors import SourceError
from nightsafe.look import Status
from nightsafe.tree import Node, go_mode, node_type

_NO_XATTRS = (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA)


@dataclass
class Plan:
    """What a snapshot's tree shall look like, before anything is read.

    A leaf has `path`: it is archived with all that is below it. Other plans are directories
    on the way to leaves; `meta_path` says where their own metadata is read. `root` is the
    folder that a first component was found in.
    """

    children: "dict[bytes, Plan]" = field(default_factory=dict)
    path: bytes | None = None
    meta_path: bytes = b""
    root: bytes = b""


def plan_sources(paths: Iterable[bytes]) -> Plan:
    """Arrange the given paths as stock restic does: absolute ones below their ancestors,
    relative ones by their own components, ``.`` and ``/`` as what they contain.

    OSError if a folder cannot be listed.
    """
    plan = Plan()
    for path in dict.fromkeys(_expand(paths)):
        _add(plan, path)
    _unroll(plan)
    return plan


def _clean(path: bytes) -> bytes:
    path = os.path.normpath(path)
    return path[1:] if path.startswith(b"//") else path


def _components(path: bytes) -> list[bytes]:
    return [part for part in _clean(b"/" + path).split(b"/") if part]


def _expand(paths: Iterable[bytes]) -> Iterator[bytes]:
    for path in map(_clean, paths):
        if _components(path):
            yield path
        else:
            yield from (_clean(os.path.join(path, name)) for name in sorted(os.listdir(path)))


def _root_of(path: bytes) -> bytes:
    if path.startswith(b"/"):
        return b"/"
    ups = [part for part in path.split(b"/") if part == b".."]
    return b"/".join(ups) or b"."


def _add(plan: Plan, path: bytes) -> None:
    parts, root = _components(path), _root_of(path)
    name = _free_name(plan, parts[0], root)
    child = plan.children.setdefault(name, Plan(root=root))
    folder = os.path.join(root, parts[0])
    for part in parts[1:]:
        child.meta_path = _clean(folder)
        folder = os.path.join(folder, part)
        child = child.children.setdefault(part, Plan())
    child.path = path


def _free_name(plan: Plan, name: bytes, root: bytes) -> bytes:
    """Two folders of the same name from different places stand side by side, numbered."""
    candidate, number = name, 0
    while (other := plan.children.get(candidate)) is not None and other.root != root:
        number += 1
        candidate = name + b"-%d" % number
    return candidate


def _unroll(plan: Plan) -> None:
    """Where one given path lies inside another, list the outer one so both become leaves."""
    todo = [plan]
    while todo:
        current = todo.pop()
        if current.path is not None and current.children:
            for name in os.listdir(current.path):
                child = current.children.setdefault(name, Plan())
                if child.path is None:
                    child.path = os.path.join(current.path, name)
            current.meta_path, current.path = current.path, None
        todo.extend(current.children.values())


def require_any(plan: Plan) -> None:
    """SourceError when there is nothing to back up at all."""
    if not plan.children:
        raise SourceError("There is nothing to back up: none of the given paths exists.")


def node_of(name: bytes, path: bytes, status: Status) -> Node:
    """The node of a file system entry, without contents. OSError if it cannot be read."""
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
        link_target=os.readlink(path) if is_link else b"",
        xattrs=() if is_link else tuple(_xattrs(path)),
        device=status.st_rdev if is_device else 0,
    )


def _xattrs(path: bytes) -> Iterator[tuple[bytes, bytes]]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return
        raise
    for name in names:
        try:
            yield os.fsencode(name), os.getxattr(path, name, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_XATTRS:
                raise


@lru_cache(maxsize=4096)
def user_name(uid: int) -> str:
    """The name of a user on this computer, or empty."""
    try:
        return getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return ""


@lru_cache(maxsize=4096)
def group_name(gid: int) -> str:
    """The name of a group on this computer, or empty."""
    try:
        return getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return ""


def is_unchanged(status: Status, previous: Node) -> bool:
    """Whether a regular file is the one that `previous` describes, by all that stat tells."""
    return (
        previous.type == "file"
        and previous.content is not None
        and status.st_size == previous.size
        and status.st_mtime_ns == previous.mtime
        and status.st_ctime_ns == previous.ctime
        and status.st_ino == previous.inode
    )


def count_sources(paths: Iterable[bytes]) -> tuple[int, int]:
    """Regular files and their bytes below the paths, as a forecast; errors are passed over."""
    files = size = 0
    todo = list(paths)
    while todo:
        path = todo.pop()
        try:
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                todo.extend(os.path.join(path, name) for name in os.listdir(path))
            elif stat.S_ISREG(status.st_mode):
                files, size = files + 1, size + status.st_size
        except OSError:
            continue
    return files, size
