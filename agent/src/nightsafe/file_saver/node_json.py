"""Encodes nodes as JSON, fast for regular files and folders.

Byte for byte what `tree.encode_node` gives, with what many files share made once.
"""

import errno
import os
import stat
from collections.abc import Callable
from functools import lru_cache

from nightsafe.fs.files import lstat, status_at
from nightsafe.fs.lstat import may_have_xattrs
from nightsafe.fs.status import Status
from nightsafe.fs.users import group_name, user_name
from nightsafe.repofile.go_json import format_time, json_name, json_string
from nightsafe.repofile.tree import encode_node, go_mode
from nightsafe.scanner.lister import Problem
from nightsafe.scanner.sources import node_of

OPEN_SUBTREE = ',"subtree":"'
WITHOUT_ATTRIBUTES = "it is in this snapshot without them"


def encode_file(
    name: bytes,
    path: bytes,
    status: Status,
    *,
    size: int,
    ids: str,
    problems: list[Problem],
    xattrs: bool | None = None,
) -> str:
    """The node of a regular file of `size` bytes; `ids` is its blobs' list in JSON.

    `xattrs` says whether it may have extended attributes, None if nobody has looked. Of those
    that cannot be read it is told in `problems`. OSError if there is no file there any more.
    """
    if may_have_xattrs(path) if xattrs is None else xattrs:
        node = node_of(name, path, status, _telling(path, problems)).with_content((), size)
        return f"{encode_node(node)[: -len('[]}')]}{ids}}}"
    length = f',"size":{size}' if size else ""
    links = f',"links":{status.st_nlink}' if status.st_nlink else ""
    return f'{_start("file", name, status)}{length}{links},"content":{ids}}}'


def _start(kind: str, name: bytes, status: Status) -> str:
    """What stands in a node before the sizes."""
    modified = _modified(status.st_mtime_ns)
    shared = owner_texts(status.st_mode, status.st_uid, status.st_gid)
    changed = format_time(status.st_ctime_ns)
    inode = f',"inode":{status.st_ino}' if status.st_ino else ""
    device = f',"device_id":{status.st_dev}' if status.st_dev else ""
    return (
        f'{{"name":{json_name(name)},"type":"{kind}"{shared[0]}{modified}"ctime":"{changed}"'
        f"{shared[1]}{inode}{device}"
    )


@lru_cache(maxsize=1 << 12)
def _modified(ns: int) -> str:
    text = format_time(ns)
    return f',"mtime":"{text}","atime":"{text}",'


@lru_cache(maxsize=1 << 10)
def owner_texts(mode: int, uid: int, gid: int) -> tuple[str, str]:
    """The mode, and who owns it, as they stand in the node."""
    number = go_mode(mode)
    owner = f',"uid":{uid},"gid":{gid}'
    for field, text in (("user", user_name(uid)), ("group", group_name(gid))):
        if text:
            owner += f',"{field}":{json_string(text.encode("utf-8", "surrogateescape"))}'
    return (f',"mode":{number}' if number else ""), owner


def encode_entry(name: bytes, path: bytes, status: Status, problems: list[Problem]) -> bytes:
    """The node of anything but a regular file. A folder's ends where its tree's id comes in.

    `problems` as for a file. OSError if it cannot be read at all.
    """
    is_folder = stat.S_ISDIR(status.st_mode)
    if is_folder and not may_have_xattrs(path):
        return f'{_start("dir", name, status)},"content":null{OPEN_SUBTREE}'.encode()
    text = encode_node(node_of(name, path, status, _telling(path, problems)))
    if is_folder:
        text = f"{text[:-1]}{OPEN_SUBTREE}"
    return text.encode()


def encode_planned(name: bytes, path: bytes, problems: list[Problem], *, is_leaf: bool) -> bytes:
    """The node of a folder that was asked for, or of one on the way there, whose links count as
    what they lead to. Nothing for a leaf that is no folder; otherwise as `encode_entry`."""
    status = lstat(path) if is_leaf else status_at(path)
    if stat.S_ISDIR(status.st_mode):
        return encode_entry(name, path, status, problems)
    if is_leaf:
        return b""
    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def _telling(path: bytes, problems: list[Problem]) -> Callable[[OSError], None]:
    """Adds to `problems` that some extended attribute cannot be read; once for each entry."""

    def tell(error: OSError) -> None:
        reason = (error.strerror or "it cannot be read").lower()
        problem = ("unreadable", path, f"extended attributes: {reason}; {WITHOUT_ATTRIBUTES}")
        if problem not in problems[-1:]:
            problems.append(problem)

    return tell
