"""Refuses to store a tree that does not parse or does not add up.

A tree is put together from parts that several processes made at several times. Should they ever
not fit together, what was stored could not be restored, and nobody would know before the day it
is needed. So it is read once more, as the bytes that it has become:

- It is exactly what `tree` writes: no blank, no field behind another's end, valid UTF-8.
- Files have a list of blobs, folders a tree, others neither.
- Names are in order, so that none is there twice; those with escapes are not asked.
- It has as many entries as were found and not said to be missing.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from nightsafe.amounts import show_count
from nightsafe.errors import TreeError

try:
    from nightsafe._native import tree_check as _tree_check
except ImportError:  # not built here
    _tree_check = None  # type: ignore[assignment]

_BEGIN, _END = b'{"nodes":[', b"]}\n"
_TEXT = rb'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u(?!d[89a-f])[0-9a-f]{4}))*+"'
_ID = rb'"[0-9a-f]{64}"'
_ATTRIBUTE = rb'\{"name":' + _TEXT + rb',"value":' + _TEXT + rb"\}"
_VALUE = rb"(?:%b|0|[1-9][0-9]*|\[%b(?:,%b)*\])" % (_TEXT, _ATTRIBUTE, _ATTRIBUTE)
_NODE = (
    rb'\{"name":"(?!")(?P<name>%b),"type":(?P<type>%b)' % (_TEXT[1:], _TEXT)
    + rb'(?:,"(?!(?:content|subtree)":)[a-z_]+":%b)*+' % _VALUE
    + rb',"content":(?:null|(?P<list>\[(?:%b(?:,%b)*+)?\]))' % (_ID, _ID)
    + rb'(?P<subtree>,"subtree":%b)?\}' % _ID
)


def portable_count(tree: bytes) -> int | None:
    """Do as `_tree_check.count`: say how many entries a tree of ours has, None if it is none."""
    if not tree.startswith(_BEGIN) or not _is_text(tree):
        return None
    if tree == _BEGIN + _END:
        return 0
    node = re.compile(_NODE)  # not before: it takes a millisecond
    at, nodes, before = len(_BEGIN), 0, b""
    while True:
        found = node.match(tree, at)
        if found is None or not _is_sound(found):
            return None
        name = found["name"][:-1]
        if b"\\" not in name:
            if name <= before:
                return None
            before = name
        nodes, at = nodes + 1, found.end()
        if tree[at : at + 1] != b",":
            break
        at += 1
    return nodes if tree[at:] == _END else None


def _is_text(tree: bytes) -> bool:
    try:
        tree.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_sound(node: "re.Match[bytes]") -> bool:
    kind = node["type"]
    has_list, has_subtree = node["list"] is not None, node["subtree"] is not None
    return has_list == (kind == b'"file"') and has_subtree == (kind == b'"dir"')


count: Callable[[bytes], int | None]
if TYPE_CHECKING or _tree_check is None:
    count = portable_count
else:
    count = _tree_check.count


def require_whole(tree: bytes, entries: int) -> None:
    """TreeError unless `tree` is one that every reader takes, and holds so many entries."""
    found = count(tree)
    if found == entries:
        return
    what = (
        "cannot be read"
        if found is None
        else f"holds {found} instead of {show_count(entries, 'entry', 'entries')}"
    )
    raise TreeError(
        f"A folder's list came out broken (it {what}), so it was not stored, and no snapshot was "
        "made. Earlier snapshots are not touched. This is a fault of the program or of this "
        "computer's memory: run it again, and please report it."
    )
