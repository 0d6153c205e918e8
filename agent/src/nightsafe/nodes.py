"""The way in: the JSON of regular files' nodes, fast.

Byte for byte what `tree.encode_node` gives, with what many files share made once.
"""

import stat
from functools import lru_cache

from nightsafe.gojson import format_time, json_name, json_string
from nightsafe.look import Status, may_have_xattrs
from nightsafe.scan import node_of
from nightsafe.system import group_name, user_name
from nightsafe.tree import encode_node, go_mode


def encode_file(
    name: bytes, path: bytes, status: Status, *, size: int, ids: str, xattrs: bool | None = None
) -> str:
    """The node of a regular file of `size` bytes; `ids` is its blobs' list in JSON.

    `xattrs` says whether it may have extended attributes, None if nobody has looked. OSError
    if they cannot be read.
    """
    if may_have_xattrs(path) if xattrs is None else xattrs:
        node = node_of(name, path, status).with_content((), size)
        return f"{encode_node(node)[: -len('[]}')]}{ids}}}"
    modified = _modified(status.st_mtime_ns)
    shared = owner_texts(status.st_mode, status.st_uid, status.st_gid)
    changed = format_time(status.st_ctime_ns)
    inode = f',"inode":{status.st_ino}' if status.st_ino else ""
    device = f',"device_id":{status.st_dev}' if status.st_dev else ""
    length = f',"size":{size}' if size else ""
    links = f',"links":{status.st_nlink}' if status.st_nlink else ""
    return (
        f'{{"name":{json_name(name)},"type":"file"{shared[0]}{modified}"ctime":"{changed}"'
        f'{shared[1]}{inode}{device}{length}{links},"content":{ids}}}'
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


def encode_entry(name: bytes, path: bytes, status: Status) -> bytes:
    """The node of anything but a regular file. A folder's ends where its tree's id comes in."""
    text = encode_node(node_of(name, path, status))
    if stat.S_ISDIR(status.st_mode):
        text = f'{text[:-1]},"subtree":"'
    return text.encode()
