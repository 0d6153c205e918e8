"""No tree is stored that is not whole: what counts as one, and that nothing else gets in."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nightsafe.archiver import tree_check
from nightsafe.archiver.tree_check import portable_count
from nightsafe.archiver.tree_saver import TreeSaver
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import TreeError
from nightsafe.file_saver import worker
from nightsafe.repofile.tree import Node, decode_tree, encode_node
from nightsafe.repository.repository import Repository

from tests.support.agent.stored_texts import tree_of
from tests.support.agent.trees import make_mixed_tree, odd_names
from tests.unit.agent.archiver.test_backup import names, run

ID = bytes(range(32))
NODES = sorted(
    [
        Node(b"a file", "file", mode=0o644, size=3, user="root", content=(ID, ID)),
        Node(b"an empty one", "file", content=()),
        Node(b"attributes", "file", content=(ID,), xattrs=((b"user.a", b"\xff"), (b"b", b""))),
        Node(b"b", "dir", mode=1 << 31 | 0o755, subtree=ID, links=0),
        Node(b"link", "symlink", link_target=b"\xff<&>", links=1),
        Node(b"null", "chardev", device=259),
        *(Node(name, "fifo") for name in odd_names()),
    ],
    key=lambda node: node.name,
)
TREE = tree_of(map(encode_node, NODES))
CASES = [
    (b'{"nodes":[]}\n', 0),
    (b'{"nodes":[]}', None),
    (b'{"nodes":[]}\n\n', None),
    (b'{"nodes":null}\n', None),
    (b"", None),
    (TREE, len(NODES)),
    (TREE[:-1], None),
    (TREE + b"x", None),
    (TREE.replace(b"}]}\n", b"},]}\n"), None),
]


def of(*nodes: str) -> bytes:
    """A tree of some nodes, given without their marks."""
    return tree_of("{" + node + "}" for node in nodes)


FILE = '"name":"%s","type":"file","content":[]'
BAD_NODES = [
    f'"name":"x","type":"file","content":["{ID.hex()}",]',
    '"name":"x","type":"file","content":["abc"]',
    f'"name":"x","type":"file","content":["{ID.hex().upper()}"]',
    '"name":"x","type":"file","content":null',
    '"name":"x","type":"file"',
    '"name":"x","type":"fifo","content":[]',
    '"name":"x","type":"dir","content":null',
    '"name":"x","type":"dir","content":null,"subtree":null',
    '"name":"x","type":"dir","content":null,"subtree":"',
    f'"name":"x","type":"dir","content":null,"subtree":"{ID.hex()}{ID.hex()}"',
    f'"name":"x","type":"fifo","content":null,"subtree":"{ID.hex()}"',
    f'"name":"x","type":"dir","subtree":"{ID.hex()}","content":null',
    '"name":"","type":"file","content":[]',
    '"name":"x\n","type":"file","content":[]',
    '"name":"\\x","type":"file","content":[]',
    '"name":"\\ud800","type":"file","content":[]',
    '"name":"x","type":"file","mode":01,"content":[]',
    '"name":"x","type":"file","mode":-1,"content":[]',
    '"name":"x","type":"file","mode":,"content":[]',
    '"name":"x","type":"file","Mode":1,"content":[]',
    '"name":"x","type":"file","":1,"content":[]',
    '"name":"x", "type":"file","content":[]',
    '"name":"x","type":"file","extended_attributes":[],"content":[]',
    '"name":"x","type":"file","extended_attributes":[{"name":"y"}],"content":[]',
    '"type":"file","name":"x","content":[]',
]
CASES += [(of(FILE % "a", node, FILE % "z"), None) for node in BAD_NODES]
CASES += [
    (of(FILE % "a", FILE % "a"), None),
    (of(FILE % "b", FILE % "a"), None),
    (of(FILE % "ab", FILE % "a"), None),
    (of(FILE % "a", FILE % "ab"), 2),
    (of(FILE % "z", FILE % "\\\\x01", FILE % "a"), None),
    (of(FILE % "a", FILE % "\\\\x01", FILE % "z"), 3),
    (of(FILE % "a").replace(b'"a"', b'"\xff"'), None),
    (of(FILE % "a").replace(b'"a"', b'"\xed\xa0\x80"'), None),
]

both = pytest.mark.parametrize(
    "count", [tree_check.count, portable_count], ids=["built", "portable"]
)


@both
@pytest.mark.parametrize(("tree", "entries"), CASES, ids=range(len(CASES)))
def test_what_is_a_tree(
    count: Callable[[bytes], int | None], tree: bytes, entries: int | None
) -> None:
    assert count(tree) == entries


def damaged(tree: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """The tree with some pieces (where, how many bytes) replaced by others."""
    for place, size, other in cuts:
        place %= len(tree) + 1
        tree = tree[:place] + other + tree[place + size :]
    return tree


PIECES = st.sampled_from(
    [b'"', b"\\", b",", b"]", b"}", b"{", b"null", b"0", b"\xff", b"\xc3\xa9", b"\\u00e9", b'"}']
)
CUTS = st.lists(
    st.tuples(st.integers(0, len(TREE)), st.integers(0, 40), PIECES | st.binary(max_size=3)),
    max_size=3,
)


@given(CUTS)
@example([])
def test_what_is_taken_can_be_read(cuts: list[tuple[int, int, bytes]]) -> None:
    """And both ways of looking take the same."""
    tree = damaged(TREE, cuts)
    entries = portable_count(tree)
    assert tree_check.count(tree) == entries
    if entries is not None:
        assert len(orjson.loads(tree)["nodes"]) == entries


def test_all_that_is_stored_was_looked_at(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_mixed_tree(tmp_path / "mixed")
    asked: dict[bytes, int] = {}

    def look(tree: bytes, entries: int) -> None:
        asked[tree] = entries
        tree_check.require_whole(tree, entries)

    monkeypatch.setattr("nightsafe.archiver.tree_saver.require_whole", look)
    run(repository, tmp_path / "mixed")
    held = {len(decode_tree(tree)) for tree in asked}
    assert len(os.listdir(tmp_path / "mixed")) in held
    assert all(len(decode_tree(tree)) == entries for tree, entries in asked.items())


def require_refused(repository: Repository, source: Path, text: str) -> None:
    with pytest.raises(TreeError, match=text):
        run(repository, source)
    assert names(repository, ObjectKind.SNAPSHOT) == set()


def test_a_lost_entry_is_refused(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = worker.Worker.entries

    def lose(
        self: worker.Worker, entries: list[tuple[bytes, bytes]], previous: bytes
    ) -> worker.JobResult:
        found = real(self, entries, previous)
        found.parts = found.parts[:-1]
        return found

    monkeypatch.setattr(worker.Worker, "entries", lose)
    require_refused(repository, source, "instead of")


@pytest.mark.parametrize("slot", [0, 1, 2])
def test_a_folder_in_another_place_is_refused(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch, slot: int
) -> None:
    real = worker.Worker.entries

    def shift(
        self: worker.Worker, entries: list[tuple[bytes, bytes]], previous: bytes
    ) -> worker.JobResult:
        found = real(self, entries, previous)
        found.folders = [(slot, name, former) for _, name, former in found.folders]
        return found

    monkeypatch.setattr(worker.Worker, "entries", shift)
    if slot == 1:
        assert run(repository, source).is_complete
    else:
        require_refused(repository, source, "mixed up")


@pytest.mark.parametrize(("old", "new"), [(b"]}\n", b"]}"), (b'"size":4', b'"size":04')])
def test_a_tree_that_cannot_be_read_is_refused(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch, old: bytes, new: bytes
) -> None:
    real = TreeSaver.add

    def spoil(self: TreeSaver, tree: bytes, *, entries: int, known: bytes = b"") -> bytes:
        return real(self, re.sub(re.escape(old), new, tree), entries=entries, known=known)

    monkeypatch.setattr(TreeSaver, "add", spoil)
    require_refused(repository, source, "cannot be read")
