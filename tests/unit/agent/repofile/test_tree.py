"""Trees: byte for byte as stock restic writes them, and any node survives."""

import json
import stat
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.errors import DamagedError
from nightsafe.repofile import tree
from nightsafe.repofile.go_json import format_time
from nightsafe.repofile.tree import (
    Node,
    decode_tree,
    encode_node,
    go_mode,
    node_type,
    posix_permissions,
)

from backup_service.env import BASE_DIR
from tests.support.agent.extensions import needs
from tests.support.agent.native_uses import load
from tests.support.agent.stored_texts import tree_of

VECTOR = json.loads((BASE_DIR / "tests" / "vectors" / "tree.json").read_text())
IDS = st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, 2**64 - 1)
TIMES = st.integers(-(10**18), 10**19)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NODES = st.builds(
    Node,
    name=st.binary(max_size=40),
    type=st.sampled_from(["file", "dir", "symlink", "dev", "chardev", "fifo"]),
    mode=st.integers(0, 2**32 - 1),
    mtime=TIMES,
    atime=TIMES,
    ctime=TIMES,
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    user=WORDS,
    group=WORDS,
    inode=NUMBERS,
    device_id=NUMBERS,
    size=NUMBERS,
    links=NUMBERS,
    link_target=st.binary(max_size=40),
    xattrs=st.lists(st.tuples(WORDS.map(str.encode), st.binary(max_size=40)), max_size=3).map(
        tuple
    ),
    device=NUMBERS,
    content=st.none() | st.lists(IDS, max_size=3).map(tuple),
    subtree=st.none() | IDS,
)


def test_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    text = VECTOR["tree"].encode()
    nodes = decode_tree(text)
    assert tree_of(map(encode_node, nodes)) == text


@given(st.lists(NODES, max_size=4))
def test_any_nodes_survive(nodes: list[Node]) -> None:
    assert decode_tree(tree_of(map(encode_node, nodes))) == nodes


def test_the_empty_tree() -> None:
    assert tree_of([]) == b'{"nodes":[]}\n'
    assert decode_tree(b'{"nodes":null}') == []


def test_fields_of_a_newer_restic_are_passed_over() -> None:
    text = (
        b'{"nodes":[{"name":"a","type":"file","mtime":"2020-01-01T00:00:00Z",'
        b'"generic_attributes":{"x":1},"content":[],"error":"boo"}]}'
    )
    assert decode_tree(text)[0].content == ()


@pytest.mark.parametrize(
    ("mode", "bits", "kind"),
    [
        (stat.S_IFREG | 0o644, 420, "file"),
        (stat.S_IFDIR | 0o755, 2147484141, "dir"),
        (stat.S_IFLNK | 0o777, 134218239, "symlink"),
        (stat.S_IFREG | 0o4755, 1 << 23 | 0o755, "file"),
        (stat.S_IFREG | 0o2755, 1 << 22 | 0o755, "file"),
        (stat.S_IFDIR | 0o1777, 1 << 31 | 1 << 20 | 0o777, "dir"),
        (stat.S_IFIFO | 0o600, 1 << 25 | 0o600, "fifo"),
        (stat.S_IFBLK | 0o660, 1 << 26 | 0o660, "dev"),
        (stat.S_IFCHR | 0o666, 1 << 26 | 1 << 21 | 0o666, "chardev"),
        (stat.S_IFSOCK | 0o755, 1 << 24 | 0o755, "socket"),
    ],
)
def test_modes(mode: int, bits: int, kind: str) -> None:
    assert go_mode(mode) == bits
    assert node_type(mode) == kind
    assert posix_permissions(bits) == mode & 0o7777


ENTRY = '"type":"file","mtime":"2020-01-01T00:00:00Z"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"nodes":[1]}',
        f'{{"nodes":[{{"name":5,{ENTRY}}}]}}',
        f'{{"nodes":[{{"name":"\\\\q",{ENTRY}}}]}}',
        f'{{"nodes":[{{"name":"a",{ENTRY},"content":["zz"]}}]}}',
        f'{{"nodes":[{{"name":"a",{ENTRY},"content":"x"}}]}}',
        f'{{"nodes":[{{"name":"a",{ENTRY},"subtree":"{"Z" * 64}"}}]}}',
        f'{{"nodes":[{{"name":"a",{ENTRY},"size":-1}}]}}',
        f'{{"nodes":[{{"name":"a",{ENTRY},"size":1.5}}]}}',
        f'{{"nodes":[{{"name":"a",{ENTRY},"linktarget_raw":"*"}}]}}',
        f'{{"nodes":[{{"name":"a",{ENTRY},"extended_attributes":[{{"value":"*"}}]}}]}}',
        '{"nodes":[{"name":"a","mtime":"yesterday"}]}',
    ],
)
def test_nonsense_is_damage(text: str) -> None:
    with pytest.raises(DamagedError):
        decode_tree(text.encode())


needs_nodes = needs("tree_nodes")
PLAIN = st.builds(
    lambda **fields: Node(**fields),  # the class itself would have all its fields drawn
    name=st.text("abc .-_'", min_size=1, max_size=9).map(str.encode),
    type=st.sampled_from(["file", "dir"]),
    mode=st.integers(0, 2**32 - 1),
    mtime=st.integers(0, 2 * 10**18),
    atime=st.integers(0, 2 * 10**18),
    ctime=st.integers(0, 2 * 10**18),
    uid=st.integers(0, 2**32 - 1),
    user=WORDS,
    inode=st.integers(0, 2**63 - 1),
    size=st.integers(0, 2**63 - 1),
    content=st.none() | st.lists(IDS, max_size=3).map(tuple),
    subtree=st.none() | IDS,
)


@needs_nodes
@given(PLAIN)
def test_plain_nodes_need_no_python(node: Node) -> None:
    from nightsafe._native import tree_nodes

    assert tree_nodes.decode(orjson.loads(encode_node(node))) == node


TIME_LIKE = st.text("0123456789-:.TZ+", max_size=36) | st.builds(
    lambda ns, at, text: format_time(ns)[:at] + text + format_time(ns)[at + len(text) :],
    TIMES,
    st.integers(0, 30),
    st.text("0123456789-:.TZ+", max_size=3),
)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), TIME_LIKE, WORDS,
    IDS.map(bytes.hex), IDS.map(lambda i: i.hex().upper()), st.lists(IDS.map(bytes.hex) | WORDS),
)  # fmt: skip
FIELDS = [*Node._fields[:14], "linktarget", "linktarget_raw", "extended_attributes", "content"]


@needs_nodes
@given(NODES, st.dictionaries(st.sampled_from([*FIELDS, "device", "subtree"]), ODD, max_size=3))
def test_what_is_said_without_python_is_what_python_says(
    node: Node, odd: dict[str, object]
) -> None:
    from nightsafe._native import tree_nodes

    entry = orjson.loads(encode_node(node)) | odd
    quick = tree_nodes.decode(entry)
    if quick is not None:
        assert quick == tree.decode_node(entry)


@needs_nodes
@pytest.mark.parametrize("entry", [None, 7, [], "", b"", {}])
def test_what_is_no_node_is_left_to_python(entry: Any) -> None:
    from nightsafe._native import tree_nodes

    assert tree_nodes.decode(entry) is None


@needs("tree_nodes")
@pytest.mark.parametrize("name", ["name", "linktarget_raw", "subtree"])
def test_an_error_while_a_node_is_read_is_raised(name: str) -> None:
    class Key:
        def __hash__(self) -> int:
            return hash(name)

        def __eq__(self, other: object) -> bool:
            raise OSError("not to be compared")

    with pytest.raises(OSError, match="not to be compared"):
        load("tree_nodes").decode({Key(): 1, "name" if name != "name" else "x": "a"})
