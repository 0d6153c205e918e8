"""Backing up: what gets in, what is said about the rest, and what is not sent twice."""

import itertools
import os
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import SourceError, UsageError
from nightsafe.file_saver import worker
from nightsafe.packer import index_writer
from nightsafe.progress import Event, FilesDone, Issue
from nightsafe.repofile.index import decode_index, encode_index
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node, encode_node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import walk
from nightsafe.scanner import sources
from nightsafe.scanner.parent_tree import ParentTree

from tests.support.agent.stored_texts import load_text, tree_of
from tests.unit.agent.conftest import reopen


def names(repository: Repository, kind: ObjectKind) -> set[str]:
    return {listing.name for listing in repository.storage.list(kind)}


def stored(repository: Repository) -> dict[bytes, Node]:
    """Path to node of the newest snapshot, as a new reader sees it."""
    reopened = reopen(repository)
    snapshot = reopened.load_snapshots().sound[-1]
    reopened.load_index()
    return {found.path: found.node for found in walk(BlobReader(reopened), snapshot.tree)}


def run(repository: Repository, *paths: Path, **options: object):  # type: ignore[no-untyped-def]
    return backup(
        repository,
        [os.fsencode(path) for path in paths],
        BackupOptions(**options),  # type: ignore[arg-type]
    )


def test_what_is_backed_up_is_stored(repository: Repository, source: Path) -> None:
    report = run(repository, source, tags=("one", "two"), hostname="desk")
    assert report.is_complete
    assert (report.count.new, report.count.directories) == (3, len(source.parts))
    nodes = stored(repository)
    assert nodes[os.fsencode(source / "one.txt")].size == 4
    assert nodes[os.fsencode(source / "empty")].content == ()
    assert nodes[os.fsencode(source / "link")].link_target == b"one.txt"
    (snapshot,) = repository.load_snapshots().sound
    assert snapshot.id == report.snapshot_id
    assert snapshot.paths == (str(source),)
    assert (snapshot.hostname, snapshot.tags, snapshot.parent) == ("desk", ("one", "two"), "")
    assert names(repository, ObjectKind.LOCK) == set()


def test_an_unchanged_folder_costs_one_snapshot(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a relative path: folders above are in everybody's way, and in the snapshot."""
    monkeypatch.chdir(source.parent)
    source = Path(source.name)
    first = run(repository, source)
    before = {kind: names(repository, kind) for kind in (ObjectKind.DATA, ObjectKind.INDEX)}
    second = run(repository, source)
    assert second.parent_id == first.snapshot_id
    assert second.tree_id == first.tree_id
    assert (second.count.unchanged, second.count.new, second.count.stored_bytes) == (3, 0, 0)
    assert {kind: names(repository, kind) for kind in before} == before
    assert len(names(repository, ObjectKind.SNAPSHOT)) == 2


def test_unchanged_files_are_not_even_opened(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(repository, source)

    def refuse(*_: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(worker.Worker, "read_file", refuse)
    assert run(repository, source).count.unchanged == 3


def test_each_sign_of_change_makes_a_file_read_again(repository: Repository, source: Path) -> None:
    path = source / "one.txt"
    for change in ("size", "mtime", "ctime", "inode"):
        run(repository, source)
        status = path.stat()
        match change:
            case "size":
                path.write_text("one and more\n")
            case "mtime":
                os.utime(path, ns=(1, status.st_mtime_ns + 1))
            case "ctime":
                os.chmod(path, 0o600)
            case "inode":
                (source / "new").write_text(path.read_text())
                os.utime(source / "new", ns=(1, status.st_mtime_ns))
                os.rename(source / "new", path)
        report = run(repository, source)
        assert (report.count.changed, report.count.unchanged) == (1, 2), change


@pytest.mark.parametrize(("first", "second"), [("restic", "gear"), ("gear", "restic")])
def test_unchanged_files_keep_their_cuts_whichever_chunker_made_them(
    repository: Repository, source: Path, first: str, second: str
) -> None:
    """One that a worker cuts and one that the parent does; the new file has their folder read."""
    kept = [source / "middle", source / "large"]
    for path, size in zip(kept, (3 << 20, 9 << 20), strict=True):
        path.write_bytes(os.urandom(size))
    run(repository, source, chunker=first)
    before = stored(repository)
    (source / "later").write_text("later\n")
    report = run(repository, source, chunker=second)
    assert (report.count.new, report.count.changed) == (1, 0)
    after = stored(repository)
    for path in kept:
        assert after[os.fsencode(path)].content == before[os.fsencode(path)].content
        os.utime(path)
    run(repository, source, chunker=second)
    for path in kept:
        assert stored(repository)[os.fsencode(path)].content != before[os.fsencode(path)].content


def test_only_known_chunkers_are_taken() -> None:
    for name in ("", "gear", "restic"):
        assert BackupOptions(chunker=name).chunker == name
    with pytest.raises(UsageError, match="no chunker 'buzhash'; there are gear and restic"):
        BackupOptions(chunker="buzhash")


def test_a_missing_blob_makes_its_file_read_again(repository: Repository, source: Path) -> None:
    """The index lost a pack; the file is not trusted to be there because its parent says so."""
    run(repository, source)
    node = stored(repository)[os.fsencode(source / "one.txt")]
    for name in names(repository, ObjectKind.INDEX):
        repository.storage.remove(ObjectKind.INDEX, name)
    report = run(repository, source)
    assert report.count.added_blobs > 0
    assert stored(repository)[os.fsencode(source / "one.txt")].content == node.content


def test_only_the_data_is_missing_from_the_index(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent's trees are all there, but what its files hold is not."""
    monkeypatch.chdir(source.parent)
    source = Path(source.name)
    run(repository, source)
    (name,) = names(repository, ObjectKind.INDEX)
    packs = decode_index(load_text(repository, ObjectKind.INDEX, name))
    repository.storage.remove(ObjectKind.INDEX, name)
    trees = [pack for pack in packs if pack.blobs[0].kind is BlobKind.TREE]
    repository.save_text(ObjectKind.INDEX, encode_index(trees))
    report = run(repository, source)
    assert (report.count.changed, report.count.unchanged) == (2, 1), "the empty file needs none"
    assert report.count.added_blobs == 2


@pytest.mark.parametrize("sign", ["st_size", "st_mtime_ns", "st_ctime_ns", "st_ino"])
def test_every_sign_of_change_counts_alone(source: Path, sign: str) -> None:
    status = (source / "one.txt").stat()
    signs = ("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
    seen: Any = SimpleNamespace(**{name: getattr(status, name) for name in signs})
    node = sources.node_of(b"one.txt", os.fsencode(source / "one.txt"), status)
    tree = tree_of([encode_node(node.with_content([bytes(32)], 4))])
    before = ParentTree(tree, [])
    assert before.content_if_unchanged(b"one.txt", seen) == ["00" * 32]
    setattr(seen, sign, getattr(seen, sign) + 1)
    assert before.content_if_unchanged(b"one.txt", seen) is None


def test_relative_paths_stand_at_the_root_of_the_tree(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    run(repository, Path("inner"), Path("one.txt"))
    assert set(stored(repository)) == {b"/inner", b"/inner/two.txt", b"/one.txt"}


def test_nested_paths_are_stored_once(repository: Repository, source: Path) -> None:
    run(repository, source, source / "inner", source / "inner" / "two.txt")
    assert stored(repository).keys() >= {os.fsencode(source / "inner" / "two.txt")}


def test_a_dot_means_what_is_in_the_folder(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    run(repository, Path())
    assert b"/one.txt" in stored(repository)


def test_folders_of_the_same_name_stand_side_by_side(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("a", "a/b"):
        (tmp_path / place / "same").mkdir(parents=True)
        (tmp_path / place / "same" / place.replace("/", "-")).touch()
    monkeypatch.chdir(tmp_path / "a" / "b")
    run(repository, Path("same"), Path("../same"))
    assert set(stored(repository)) == {b"/same", b"/same/a-b", b"/same-1", b"/same-1/a"}


def test_a_path_that_does_not_exist_is_said_and_the_rest_is_stored(
    repository: Repository, source: Path
) -> None:
    report = run(repository, source, source / "nothing")
    assert not report.is_complete
    assert "nothing: No such file or directory" in str(report.issues[0])
    assert repository.load_snapshots().sound[0].paths == (str(source),)


def test_nothing_to_back_up(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        run(repository, tmp_path / "nothing")
    assert names(repository, ObjectKind.SNAPSHOT) == set()


def test_sockets_are_left_out(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as made, monkeypatch.context() as here:
        here.chdir(source)  # a socket's path must be short
        made.bind("s")
    report = run(repository, source)
    assert report.is_complete
    assert os.fsencode(source / "s") not in stored(repository)


def test_a_dry_run_counts_and_stores_nothing(repository: Repository, source: Path) -> None:
    report = run(repository, source, dry_run=True)
    assert report.count.new == 3
    assert report.count.stored_bytes > 0
    assert report.snapshot_id == ""
    for kind in (ObjectKind.DATA, ObjectKind.INDEX, ObjectKind.SNAPSHOT, ObjectKind.LOCK):
        assert names(repository, kind) == set()


def test_equal_contents_are_stored_once(repository: Repository, source: Path) -> None:
    data = os.urandom(100_000)
    for number in range(5):
        (source / f"copy-{number}").write_bytes(data)
    report = run(repository, source)
    assert report.count.stored_bytes < 150_000


def test_data_blobs_are_spread_over_open_packs_and_tails_are_merged(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_writer, "INDEX_PACKS", 2)
    monkeypatch.setattr("nightsafe.repofile.pack.PACK_SIZE", 200_000)
    for number in range(40):
        (source / f"file-{number:02}").write_bytes(os.urandom(30_000))
    run(repository, source)
    nodes = stored(repository)
    reopened = reopen(repository)
    reopened.load_index()
    contents = [nodes[os.fsencode(source / f"file-{n:02}")].content or () for n in range(40)]
    order = [reopened.index.locate(BlobKind.DATA, content[0]) for content in contents]
    packs = [copies[0].pack for copies in order]
    changes = sum(a != b for a, b in itertools.pairwise(packs))
    assert len(set(packs)) in range(5, 9), "about 1.2 MB in packs of 0.2 MB"
    assert changes > len(set(packs)) + 2, "neighbours must not simply follow one another"
    assert len(names(repository, ObjectKind.INDEX)) > 2


def test_events_are_told(repository: Repository, source: Path) -> None:
    events: list[Event] = []
    backup(repository, [os.fsencode(source)], observer=events.append)
    told = [file for e in events if isinstance(e, FilesDone) for file in e.with_paths()]
    assert sorted(told) == sorted(
        (os.fsencode(source / name), "new", (source / name).stat().st_size)
        for name in ("empty", "inner/two.txt", "one.txt")
    )
    assert not [e for e in events if isinstance(e, Issue)]


def test_forecast(source: Path) -> None:
    assert sources.count_sources([os.fsencode(source), b"/no/such/path"]) == (3, 8)


def test_a_folder_of_many_levels_needs_no_deep_stack(
    repository: Repository, tmp_path: Path
) -> None:
    dig(tmp_path, levels=1500)
    try:
        report = run(repository, tmp_path / "d")
        assert report.count.directories >= 1500
        assert report.is_complete
    finally:
        # Python's own removal of folders recurses, so it is not up to this one.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def dig(folder: Path, *, levels: int) -> None:
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
