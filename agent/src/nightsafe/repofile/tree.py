"""Trees: the entries of one directory, as JSON that is byte-identical to stock restic's."""

import base64
import json
import re
import stat
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import orjson

from nightsafe.errors import DamagedError
from nightsafe.repofile.go_json import format_time, json_name, json_string, parse_time, unquote_name

try:
    from nightsafe._native import tree_nodes as native
except ImportError:  # not built here
    native = None  # type: ignore[assignment]

_FORMATS = {
    stat.S_IFREG: ("file", 0),
    stat.S_IFDIR: ("dir", 1 << 31),
    stat.S_IFLNK: ("symlink", 1 << 27),
    stat.S_IFBLK: ("dev", 1 << 26),
    stat.S_IFCHR: ("chardev", 1 << 26 | 1 << 21),
    stat.S_IFIFO: ("fifo", 1 << 25),
    stat.S_IFSOCK: ("socket", 1 << 24),
}
ID_SIZE = 32
_NUMBERS = ("mode", "uid", "gid", "inode", "device_id", "size", "links", "device")
_TEXTS = ("name", "type", "user", "group", "mtime", "atime", "ctime")
_ONLY_INT, _ONLY_STR = {int}, {str}
_PLAIN_NAME = re.compile(r"[ !#-%'-;=?-\[\]-~]*")
_SPECIAL = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))
_ANY_SPECIAL = sum(bit for _, bit in _SPECIAL)


def node_type(mode: int) -> str:
    """Return restic's name for the type in a POSIX `st_mode`; empty if it has none."""
    return _FORMATS.get(stat.S_IFMT(mode), ("", 0))[0]


def go_mode(mode: int) -> int:
    """Convert a POSIX `st_mode` to Go's `fs.FileMode` bits."""
    special = sum(bit for posix, bit in _SPECIAL if mode & posix)
    return mode & 0o777 | special | _FORMATS.get(stat.S_IFMT(mode), ("", 0))[1]


def posix_permissions(mode: int) -> int:
    """Convert Go's mode bits to POSIX permissions with setuid, setgid and sticky."""
    special = sum(posix for posix, bit in _SPECIAL if mode & bit) if mode & _ANY_SPECIAL else 0
    return mode & 0o777 | special


class Node(NamedTuple):
    """An entry of a directory. Times are nanoseconds since 1970, ids 32 bytes, `mode` Go's."""

    name: bytes
    type: str
    mode: int = 0
    mtime: int = 0
    atime: int = 0
    ctime: int = 0
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    inode: int = 0
    device_id: int = 0
    size: int = 0
    links: int = 0
    link_target: bytes = b""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    device: int = 0
    content: tuple[bytes, ...] | None = None
    subtree: bytes | None = None

    def with_content(self, content: Iterable[bytes], size: int) -> "Node":
        """Return this file's node with its blobs and the number of bytes read."""
        return self._replace(content=tuple(content), size=size)


_make: Callable[[Iterable[Any]], Node] = partial(tuple.__new__, Node)
"""`Node._make` without checking the number of fields, in a third of the time."""


def encode_node(node: Node) -> str:
    """Encode a node as JSON: Go's field order, without empty fields."""
    out = [f'{{"name":{json_name(node.name)},"type":{json_string(node.type.encode())}']
    if node.mode:
        out.append(f'"mode":{node.mode}')
    out += (
        f'"{field}":"{format_time(ns)}"'
        for field, ns in (("mtime", node.mtime), ("atime", node.atime), ("ctime", node.ctime))
    )
    out.append(f'"uid":{node.uid},"gid":{node.gid}')
    out += (
        f'"{field}":{json_string(text.encode("utf-8", "surrogateescape"))}'
        for field, text in (("user", node.user), ("group", node.group))
        if text
    )
    out += _encode_numbers(node, "inode", "device_id", "size", "links")
    if node.link_target:
        out += _encode_link_target(node.link_target)
    if node.xattrs:
        out.append(f'"extended_attributes":[{",".join(map(_encode_xattr, node.xattrs))}]')
    out += _encode_numbers(node, "device")
    out.append(f'"content":{_encode_content(node.content)}')
    if node.subtree is not None:
        out.append(f'"subtree":"{node.subtree.hex()}"')
    return ",".join(out) + "}"


def _encode_numbers(node: Node, *fields: str) -> list[str]:
    values = ((field, getattr(node, field)) for field in fields)
    return [f'"{field}":{value}' for field, value in values if value]


def _encode_link_target(target: bytes) -> list[str]:
    fields = [f'"linktarget":{json_string(target)}']
    try:
        target.decode("utf-8")
    except UnicodeDecodeError:
        # As restic 0.16 and later do; older versions lose the target's bytes.
        fields.append(f'"linktarget_raw":"{base64.b64encode(target).decode()}"')
    return fields


def _encode_xattr(xattr: tuple[bytes, bytes]) -> str:
    name, value = xattr
    return f'{{"name":{json_string(name)},"value":"{base64.b64encode(value).decode()}"}}'


def _encode_content(content: tuple[bytes, ...] | None) -> str:
    if content is None:
        return "null"
    return "[" + ",".join(f'"{blob.hex()}"' for blob in content) + "]"


def encode_tree(nodes: bytes) -> bytes:
    """Make a tree blob from its nodes' JSON, joined by commas in the order of raw names."""
    return b'{"nodes":[' + nodes + b"]}\n"


class Unreadable(NamedTuple):
    """An invalid entry of a tree; `name` is empty if that cannot be read either."""

    number: int
    name: bytes

    def __str__(self) -> str:
        return f"entry {self.number} of a folder's list is damaged and cannot be read"


def decode_tree(blob: bytes) -> list[Node]:
    """Return a tree blob's nodes; DamagedError unless all are readable. Names are not checked."""
    nodes, unreadable = read_tree(blob)
    if unreadable:
        raise DamagedError(f"A tree in the repository is damaged: {unreadable[0]}.")
    return nodes


def read_tree(blob: bytes) -> tuple[list[Node], list[Unreadable]]:
    """Return the nodes of a tree blob, and the entries that cannot be read.

    DamagedError if it is not a tree. Names are not checked.
    """
    try:
        entries = _load(blob)["nodes"]
        if entries is None:
            entries = []
        if type(entries) is not list:
            raise TypeError("nodes")
    except (KeyError, RecursionError, TypeError, ValueError):
        raise DamagedError("A tree in the repository is damaged: it cannot be read.") from None
    try:
        return _decode_all(entries), []
    except _NOT_ONE:
        return _decode_each(entries)


_NOT_ONE = (AttributeError, KeyError, TypeError, ValueError, DamagedError)  # also bad base64


def _load(blob: bytes) -> Any:
    try:
        return orjson.loads(blob)
    except ValueError:
        # Go accepts invalid UTF-8 and lone surrogates, which may affect one entry only.
        return json.loads(blob.decode("utf-8", "replace"))


def _decode_all(entries: list[Any]) -> list[Node]:
    if native is None:
        return [decode_node(entry) for entry in entries]
    plain = zip(map(native.decode, entries), entries, strict=True)
    return [_make(fields) if fields else decode_node(entry) for fields, entry in plain]


def _decode_each(entries: list[Any]) -> tuple[list[Node], list[Unreadable]]:
    nodes, unreadable = [], []
    for number, entry in enumerate(entries, 1):
        try:
            nodes.append(decode_node(entry))
        except _NOT_ONE:
            unreadable.append(Unreadable(number, _name_of(entry)))
    return nodes, unreadable


def _name_of(entry: Any) -> bytes:
    try:
        return unquote_name(entry["name"])
    except _NOT_ONE:
        return b""


def decode_node(entry: dict[str, Any]) -> Node:
    """Decode one entry of a tree's JSON; raises one of `_NOT_ONE` if it is not sound."""
    # By position and with few calls: without the C extension a restore spends much time here.
    get = entry.get
    numbers = [get(field, 0) for field in _NUMBERS]
    if set(map(type, numbers)) != _ONLY_INT or min(numbers) < 0:
        raise TypeError("number")
    mode, uid, gid, inode, device_id, size, links, device = numbers
    texts = [get(field, "") for field in _TEXTS]
    if set(map(type, texts)) != _ONLY_STR:
        texts = [_text(entry, field) for field in _TEXTS]
    name, kind, user, group, mtime, atime, ctime = texts
    modified = parse_time(mtime) if mtime else 0
    subtree = get("subtree")
    return Node(
        name.encode("ascii") if _PLAIN_NAME.fullmatch(name) else unquote_name(name),
        kind,
        mode,
        modified,
        modified if atime == mtime else parse_time(atime) if atime else 0,
        parse_time(ctime) if ctime else 0,
        uid,
        gid,
        user,
        group,
        inode,
        device_id,
        size,
        links,
        _decode_link_target(entry) if "linktarget" in entry or "linktarget_raw" in entry else b"",
        _decode_xattrs(entry["extended_attributes"]) if "extended_attributes" in entry else (),
        device,
        _decode_content(get("content")),
        None if subtree is None else read_id(subtree),
    )


def _decode_link_target(entry: dict[str, object]) -> bytes:
    raw_target = _text(entry, "linktarget_raw")
    if raw_target:
        return base64.b64decode(raw_target, validate=True)
    return _text(entry, "linktarget").encode("utf-8")


def read_id(text: object) -> bytes:
    """Decode 64 hexadecimal digits to 32 bytes; DamagedError if they are anything else."""
    try:
        found = bytes.fromhex(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = b""
    # `fromhex` also accepts capitals and spaces, which no id has.
    if len(found) != ID_SIZE or found.hex() != text:
        raise DamagedError("An id in the repository is damaged: it is not a SHA-256.")
    return found


def _decode_content(content: object) -> tuple[bytes, ...] | None:
    if content is None:
        return None
    if not isinstance(content, list):
        raise TypeError("content")
    return tuple(map(read_id, content))


def _decode_xattrs(entries: object) -> tuple[tuple[bytes, bytes], ...]:
    if not isinstance(entries, list):
        return ()
    return tuple(
        (_text(entry, "name").encode(), base64.b64decode(_text(entry, "value"), validate=True))
        for entry in entries
    )


def _text(entry: dict[str, object], field: str) -> str:
    value = entry.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(field)
    return value
