"""Entries of trees of which nothing whole can be made: each is named, and costs no other."""

import json
import os
import stat
from pathlib import Path

import pytest
from nightsafe.cli import main
from nightsafe.errors import DamagedError, RefusedError
from nightsafe.maintenance.check import check
from nightsafe.maintenance.prune import prune
from nightsafe.repofile.tree import Node, decode_tree, encode_node, go_mode, read_tree
from nightsafe.repository.repository import Repository
from nightsafe.restorer.options import RestoreOptions, RestoreReport
from nightsafe.restorer.restore import restore

from tests.support.agent.hostile_trees import snapshot_of, store, store_tree
from tests.support.agent.stored_texts import tree_of
from tests.unit.agent.conftest import PASSPHRASE, reopen

FILE, DIR = go_mode(stat.S_IFREG | 0o644), go_mode(stat.S_IFDIR | 0o755)
GOOD = [Node(name, "file", FILE, content=()) for name in (b"a", b"z")]
ODD = Node(b"odd", "file", FILE, size=4, content=())

UNSOUND = {
    "null content": ODD._replace(content=None),
    "null content of an empty file": ODD._replace(size=0, content=None),
    "no content, but a size": ODD,
    "a folder without a tree": ODD._replace(type="dir", mode=DIR, size=0),
    "an unknown type": ODD._replace(type="whiteout", size=0),
    "no type": ODD._replace(type="", size=0),
    "a link to nowhere": ODD._replace(type="symlink", size=0),
    "an empty name": ODD._replace(name=b"", size=0),
    "a name with a slash": ODD._replace(name=b"x/odd", size=0),
    "a name that means another folder": ODD._replace(name=b"..", size=0),
    "a name twice": GOOD[1],
    "a mode that is none": encode_node(ODD).replace(f":{FILE}", ":-1"),
    "a size in words": encode_node(ODD).replace('"size":4', '"size":"four"'),
    "a time that is none": encode_node(ODD).replace("1970-", "19x0-"),
    "an id that is none": encode_node(ODD).replace("[]", '["ab"]'),
    "content that is no list": encode_node(ODD).replace("[]", "7"),
    "a name with a broken quote": encode_node(ODD).replace('"odd"', '"odd\\\\q"'),
    "half a surrogate pair": encode_node(ODD).replace('"odd"', '"odd\\ud800"'),
    "what is no entry": "17",
}


@pytest.fixture(params=[*UNSOUND.values()], ids=[*UNSOUND])
def unsound(request: pytest.FixtureRequest) -> Node | str:
    return request.param


def bring_back(repository: Repository, tree: bytes, target: Path, **options: bool) -> RestoreReport:
    return restore(
        reopen(repository),
        snapshot_of(repository, tree),
        os.fsencode(target),
        options=RestoreOptions(**options),  # type: ignore[arg-type]
    )


def test_check_names_it(repository: Repository, unsound: Node | str) -> None:
    inner = store_tree(repository, GOOD[0], unsound, GOOD[1])
    tree = store_tree(repository, Node(b"folder", "dir", DIR, subtree=inner))
    snapshot_of(repository, tree)
    report = check(reopen(repository))
    assert len(report.errors) == 1
    assert "/folder" in report.errors[0]


@pytest.mark.parametrize("verify", [False, True])
def test_restore_names_it_and_brings_the_others(
    repository: Repository, tmp_path: Path, unsound: Node | str, verify: bool
) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "odd").write_text("mine")
    tree = store_tree(repository, GOOD[0], unsound, GOOD[1])
    report = bring_back(repository, tree, tmp_path / "target", verify=verify)
    assert len(report.issues) == 1
    assert not report.is_complete
    assert report.verified == (2 * verify)
    there = {path.name for path in (tmp_path / "target").iterdir()}
    assert there == {"a", "z", "odd"}
    if not isinstance(unsound, Node) or unsound.type != "dir":
        assert (tmp_path / "target" / "odd").read_text() == "mine"


def test_a_dry_run_names_it(repository: Repository, tmp_path: Path, unsound: Node | str) -> None:
    tree = store_tree(repository, GOOD[0], unsound, GOOD[1])
    report = bring_back(repository, tree, tmp_path / "target", dry_run=True)
    assert (len(report.issues), report.files) == (1, 2)


def test_sizes_that_do_not_add_up(repository: Repository, tmp_path: Path) -> None:
    """What is there is brought back, and that it is not all is said."""
    parts = store(repository, b"one", b"two")
    nodes = [
        Node(b"long", "file", FILE, size=5, content=(parts[0],)),
        Node(b"short", "file", FILE, size=7, content=tuple(parts)),
        Node(b"sound", "file", FILE, size=6, content=tuple(parts)),
    ]
    tree = store_tree(repository, *nodes)
    report = bring_back(repository, tree, tmp_path / "target", verify=True)
    assert [issue.path for issue in report.issues] == [b"/long", b"/short"]
    assert report.verified == 1
    assert (tmp_path / "target" / "short").read_bytes() == b"onetwo"
    errors = check(reopen(repository)).errors
    assert ["/long" in errors[0], "/short" in errors[1], len(errors)] == [True, True, 2]


def test_a_lost_top_has_a_name_too(repository: Repository, tmp_path: Path) -> None:
    """Its path is empty, and would leave a message without a subject."""
    report = bring_back(repository, bytes(32), tmp_path / "t")
    assert [issue.path for issue in report.issues] == [b"/"]
    assert str(report.issues[0]).startswith("/: what is in it is lost. ")


def test_a_list_goes_on_past_it(
    repository: Repository,
    unsound: Node | str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tree = store_tree(repository, GOOD[0], unsound, GOOD[1])
    lost = Node(b"lost", "dir", DIR, subtree=bytes(32))
    snapshot_of(
        repository, store_tree(repository, Node(b"d", "dir", DIR, subtree=tree), lost, GOOD[1])
    )
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    assert main(["ls", "latest", "--json"]) == 3
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    paths = [line["path"] for line in lines if line["event"] == "entry"]
    assert [path for path in paths if "odd" not in path][:2] == ["/d", "/d/a"]
    assert paths[-1] == "/z"
    issues = [line["path"] for line in lines if line["event"] == "issue"]
    assert issues[-1] == "/lost"
    assert len(issues) == 1 + isinstance(unsound, str)
    assert "INCOMPLETE" in said.err


def test_one_file_of_many_names_is_made_whole_or_not_at_all(
    repository: Repository, tmp_path: Path
) -> None:
    node = Node(b"one", "file", FILE, inode=5, device_id=6, links=2, size=9, content=())
    tree = store_tree(repository, node, node._replace(name=b"two"))
    report = bring_back(repository, tree, tmp_path / "target")
    assert len(report.issues) == 2
    assert os.listdir(tmp_path / "target") == []


def test_sockets_make_nothing_incomplete(repository: Repository, tmp_path: Path) -> None:
    socket = Node(b"s", "socket", go_mode(stat.S_IFSOCK | 0o755))
    tree = store_tree(repository, GOOD[0], socket)
    report = bring_back(repository, tree, tmp_path / "target", verify=True)
    assert report.is_complete
    assert [issue.path for issue in report.issues] == [b"/s"]
    assert os.listdir(tmp_path / "target") == ["a"]
    assert check(reopen(repository)).errors == []


def test_prune_refuses_what_it_cannot_read(repository: Repository) -> None:
    snapshot_of(repository, store_tree(repository, GOOD[0], "17"))
    with pytest.raises(RefusedError, match="lost"):
        prune(reopen(repository))


def test_what_is_no_tree() -> None:
    for blob in (b"", b"[]", b"{}", b'{"nodes":{}}', b'{"nodes":"x"}', b"[" * 100_000):
        with pytest.raises(DamagedError):
            read_tree(blob)


def test_bytes_that_are_no_text_cost_an_entry_at_most() -> None:
    tree = tree_of(map(encode_node, [GOOD[0], ODD, GOOD[1]]))
    nodes, unreadable = read_tree(tree.replace(b'"odd"', b'"odd","user":"\xff"'))
    assert [node.name for node in nodes] == [b"a", b"odd", b"z"]
    assert unreadable == []
    tree = tree_of(map(encode_node, [GOOD[0], ODD._replace(uid=7), GOOD[1]]))
    tree = tree.replace(b'"uid":7', b'"uid":[]')
    nodes, unreadable = read_tree(tree)
    assert [node.name for node in nodes] == [b"a", b"z"]
    assert unreadable[0].name == b"odd"
    with pytest.raises(DamagedError, match="entry 2"):
        decode_tree(tree)
