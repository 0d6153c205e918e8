"""Restoring: everything comes back, nothing lands outside, nothing wrong is released."""

import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightsafe.archiver.backup import backup
from nightsafe.backend.local import LocalBackend
from nightsafe.errors import RestoreError
from nightsafe.file_restorer import file_restorer, file_writer
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tree import Node, encode_node, go_mode
from nightsafe.repository.repository import Repository
from nightsafe.restorer import restore as restoring
from nightsafe.restorer.options import RestoreReport
from nightsafe.restorer.restore import restore

from tests.support.agent.restore_modes import MODES, is_by_paths, use_mode
from tests.support.agent.stored_texts import tree_of
from tests.support.agent.trees import fingerprint, make_mixed_tree
from tests.support.agent.uploader import Uploader
from tests.unit.agent.conftest import copy_vault, freeze, reopen

DIR, FILE, LINK = (
    go_mode(kind | mode)
    for kind, mode in ((stat.S_IFDIR, 0o755), (stat.S_IFREG, 0o644), (stat.S_IFLNK, 0o777))
)


@pytest.fixture(params=MODES, autouse=True)
def _every_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    use_mode(request.param, monkeypatch)


def back_up(repository: Repository, path: Path) -> Snapshot:
    backup(repository, [os.fsencode(path)])
    return repository.load_snapshots().sound[-1]


def bring_back(
    repository: Repository, snapshot: Snapshot, target: Path, *include: str
) -> RestoreReport:
    return restore(
        reopen(repository),
        snapshot,
        os.fsencode(target),
        include=[path.encode() for path in include],
    )


def store_tree(repository: Repository, *nodes: Node) -> Snapshot:
    """A snapshot with just these nodes at its root, as a hostile writer would make it."""
    uploader = Uploader(repository)
    tree = uploader.add(BlobKind.TREE, tree_of(map(encode_node, nodes)))
    uploader.flush()
    return Snapshot(time=0, tree=tree, paths=("/",))


def store_blob(repository: Repository, data: bytes) -> bytes:
    uploader = Uploader(repository)
    blob = uploader.add(BlobKind.DATA, data)
    uploader.flush()
    return blob


def test_a_mixed_tree_comes_back_whole(repository: Repository, tmp_path: Path) -> None:
    source, target = tmp_path / "mixed", tmp_path / "target"
    make_mixed_tree(source)
    report = bring_back(repository, back_up(repository, source), target)
    assert report.issues == []
    assert fingerprint(Path(f"{target}{source}")) == fingerprint(source)
    assert sparse_blocks(Path(f"{target}{source}/sparse")) < 12 << 20


def sparse_blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: name not in (b".", b"..") and b"/" not in name and b"\0" not in name
)
CONTENTS = st.binary(max_size=200)
TREES = st.recursive(
    CONTENTS | st.tuples(st.just("link"), NAMES),
    lambda inner: st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
).filter(lambda tree: isinstance(tree, dict))


def lay_out(folder: bytes, tree: dict[bytes, object]) -> None:
    os.makedirs(folder, exist_ok=True)
    for name, content in tree.items():
        path = os.path.join(folder, name)
        if isinstance(content, dict):
            lay_out(path, content)
        elif isinstance(content, bytes):
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, 0o600 | (len(content) & 0o177))
        else:
            os.symlink(content[1], path)  # type: ignore[index]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TREES)
def test_any_tree_comes_back(
    tmp_path_factory: pytest.TempPathFactory, vault: Repository, tree: dict[bytes, object]
) -> None:
    freeze()
    base = tmp_path_factory.mktemp("any")
    repository = copy_vault(vault, LocalBackend(str(base / "r")))
    lay_out(os.fsencode(base / "source"), tree)
    report = bring_back(repository, back_up(repository, base / "source"), base / "target")
    assert report.issues == []
    assert fingerprint(Path(f"{base}/target{base}/source")) == fingerprint(base / "source")


def test_included_paths_only(repository: Repository, source: Path, tmp_path: Path) -> None:
    snapshot, target = back_up(repository, source), tmp_path / "target"
    bring_back(repository, snapshot, target, f"{source}/inner", f"{source}/link")
    assert set(fingerprint(Path(f"{target}{source}"))) == {b"inner", b"inner/two.txt", b"link"}


def test_including_what_is_not_there(repository: Repository, source: Path, tmp_path: Path) -> None:
    with pytest.raises(RestoreError, match="holds nothing at '/no/such'"):
        bring_back(repository, back_up(repository, source), tmp_path / "target", "no/such")


def test_restoring_again_replaces_what_differs(
    repository: Repository, source: Path, tmp_path: Path
) -> None:
    (source / "hard").write_text("hard")
    os.link(source / "hard", source / "other-name")
    snapshot, target = back_up(repository, source), tmp_path / "target"
    bring_back(repository, snapshot, target)
    restored = Path(f"{target}{source}")
    (restored / "one.txt").write_text("changed")
    (restored / "link").unlink()
    (restored / "link").write_text("no link")
    (restored / "own").write_text("not of the snapshot")
    assert bring_back(repository, snapshot, target).issues == []
    assert (restored / "own").read_text() == "not of the snapshot"
    (restored / "own").unlink()
    os.utime(restored, ns=(0, source.stat().st_mtime_ns))
    assert fingerprint(restored) == fingerprint(source)


@pytest.mark.parametrize(
    "change",
    [
        {"mtime": 250_000_000_000 * 10**9},
        {"uid": 2**32 - 1},
        {"xattrs": ((b"nonsense", b"x"), (b"user.good", b"y"))},
        {"mode": 2**32 - 1},
    ],
)
def test_metadata_that_cannot_be_set_does_not_lose_the_file(
    repository: Repository, tmp_path: Path, change: dict[str, object]
) -> None:
    blob = store_blob(repository, b"contents")
    node = Node(b"f", "file", FILE, size=8, content=(blob,))._replace(**change)  # type: ignore[arg-type]
    report = bring_back(repository, store_tree(repository, node), tmp_path / "target")
    assert report.is_complete
    assert (tmp_path / "target" / "f").read_bytes() == b"contents"


def test_set_id_bits_only_for_the_owner_they_were_meant_for(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = (
        Node(name, "file", go_mode(stat.S_IFREG | 0o6755), uid=uid, gid=os.getgid(), content=())
        for name, uid in ((b"mine", os.getuid()), (b"other", os.getuid() + 1))
    )
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # as if not root: owners cannot be given
    monkeypatch.setattr(file_writer, "native", None)  # it asks the system itself
    bring_back(repository, store_tree(repository, mine, other), tmp_path / "target")
    assert (tmp_path / "target" / "mine").stat().st_mode & 0o7777 == 0o6755
    assert (tmp_path / "target" / "other").stat().st_mode & 0o7777 == 0o755


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """For the length of a test no more files may be open than are now, and a hundred."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (100 + max(map(int, os.listdir("/dev/fd"))), most[1])
    )
    yield 100
    resource.setrlimit(resource.RLIMIT_NOFILE, most)


def test_a_deep_folder_needs_few_descriptors(
    repository: Repository, tmp_path: Path, few_descriptors: int
) -> None:
    uploader = Uploader(repository)
    tree = uploader.add(BlobKind.TREE, tree_of([]))
    # A path has at most 4,096 bytes, and is looked at from its top; functions call themselves
    # a thousand times at most.
    depth = few_descriptors + (30 if is_by_paths() else 1000)
    for _ in range(depth):
        node = Node(b"d", "dir", DIR, subtree=tree)
        tree = uploader.add(BlobKind.TREE, tree_of([encode_node(node)]))
    uploader.flush()
    try:
        snapshot = Snapshot(time=0, tree=tree, paths=())
        report = bring_back(repository, snapshot, tmp_path / "target")
        assert report.directories == depth
        assert report.is_complete
    finally:
        # Python's own removal of folders recurses, so it is not up to this one.
        subprocess.run(["rm", "-rf", str(tmp_path / "target")], check=True)


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_many_files_of_one_folder(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Those that are simple are taken many at a time, and all others come back as well."""
    monkeypatch.setattr(restoring, "FILES_AT_ONCE", at_once)
    monkeypatch.setattr(file_restorer, "FIRST_BATCH", 10)
    source = tmp_path / "source"
    source.mkdir()
    for number in range(40):
        (source / f"{number:02}").write_bytes(b"%d" % number * number)
    (source / "20-large").write_bytes(os.urandom(3_000_000))
    (source / "30-link").hardlink_to(source / "30")
    (source / "35-folder").mkdir()
    (source / "35-folder" / "empty").touch()
    (source / "39-symlink").symlink_to("39")
    snapshot = back_up(repository, source)
    report = bring_back(repository, snapshot, tmp_path / "target")
    assert (report.issues, report.files, report.others) == ([], 43, 1)
    restored = Path(f"{tmp_path / 'target'}{source}")
    assert fingerprint(restored) == fingerprint(source)
    assert (restored / "30-link").samefile(restored / "30")


def test_a_file_whose_blob_is_in_no_index_costs_no_other_one(
    repository: Repository, tmp_path: Path
) -> None:
    uploader = Uploader(repository)
    known = uploader.add(BlobKind.DATA, b"known")
    uploader.flush()
    nodes = [
        Node(name, "file", FILE, size=5, links=1, content=(blob,))
        for name, blob in ((b"a", known), (b"b", b"?" * 32), (b"c", known))
    ]
    report = bring_back(repository, store_tree(repository, *nodes), tmp_path / "target")
    (issue,) = report.issues
    assert (issue.path, issue.is_failure) == (b"/b", True)
    assert "in no index" in issue.text
    assert sorted(os.listdir(tmp_path / "target")) == ["a", "c"]
