"""What goes wrong while a snapshot is restored: hostile trees, interruptions, damaged blobs."""

import hashlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import (
    RestoreError,
    StorageError,
    UnreachableError,
    WorkerError,
)
from nightsafe.file_restorer import dispatcher, file_writer
from nightsafe.file_restorer.file_restorer import FileRestorer
from nightsafe.file_restorer.read_plan import Piece
from nightsafe.repofile.index import encode_index
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node
from nightsafe.repository.repository import Repository
from nightsafe.target.folder_ref import FolderRef
from nightsafe.target.metadata import raw_attributes
from nightsafe.target.target import Folders
from nightsafe.workers import pool

from tests.support.agent.packs import store_pack
from tests.support.agent.restore_modes import MODES, use_mode
from tests.support.agent.uploader import Uploader
from tests.unit.agent.conftest import reopen
from tests.unit.agent.restorer.test_restore import (
    DIR,
    FILE,
    LINK,
    back_up,
    bring_back,
    store_blob,
    store_tree,
)
from tests.unit.agent.restorer.test_restore_full import leftovers


@pytest.fixture(params=MODES, autouse=True)
def _every_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    use_mode(request.param, monkeypatch)


@pytest.mark.parametrize(
    "name", [b"", b".", b"..", b"../evil", b"/evil", b"a/b", b"evil\0.txt", b"./evil"]
)
@pytest.mark.parametrize("kind", ["file", "dir", "symlink", "fifo"])
def test_hostile_names_are_refused(
    repository: Repository, tmp_path: Path, name: bytes, kind: str
) -> None:
    empty = store_tree(repository).tree
    evil = Node(name=name, type=kind, mode=FILE, content=(), subtree=empty, link_target=b"x")
    good = Node(name=b"good", type="file", mode=FILE, content=())
    target = tmp_path / "outer" / "target"
    report = bring_back(repository, store_tree(repository, evil, good), target)
    assert not report.is_complete
    assert "is not allowed there" in str(report.issues[0])
    assert os.listdir(target) == ["good"]
    assert os.listdir(target.parent) == ["target"]


def test_the_second_of_two_equal_names_is_refused(repository: Repository, tmp_path: Path) -> None:
    """A link and then a folder of the same name would lead outside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    inner = store_tree(repository, Node(name=b"evil", type="file", mode=FILE, content=()))
    nodes = [
        Node(name=b"x", type="symlink", mode=LINK, link_target=os.fsencode(outside)),
        Node(name=b"x", type="dir", mode=DIR, subtree=inner.tree),
    ]
    report = bring_back(repository, store_tree(repository, *nodes), tmp_path / "target")
    assert not report.is_complete
    assert os.listdir(outside) == []


def test_of_two_files_of_one_name_the_first_stays(repository: Repository, tmp_path: Path) -> None:
    nodes = [
        Node(b"x", "file", FILE, size=len(content), content=(store_blob(repository, content),))
        for content in (b"first", b"second")
    ]
    report = bring_back(repository, store_tree(repository, *nodes), tmp_path / "target")
    assert [issue.path for issue in report.issues] == [b"/"]
    assert (tmp_path / "target" / "x").read_bytes() == b"first"


def test_a_blob_under_a_wrong_id_is_not_released(repository: Repository, tmp_path: Path) -> None:
    """Every MAC fits, but the writer lied about what the blob is."""
    lie = hashlib.sha256(b"what was asked for").digest()
    sealed = repository.sealer.seal(b"something else")
    content = store_pack(repository, BlobKind.DATA, (lie, sealed, 0))
    repository.save_text(ObjectKind.INDEX, encode_index([content]))
    node = Node(b"x", "file", FILE, size=14, content=(lie,))
    report = bring_back(repository, store_tree(repository, node), tmp_path / "target")
    assert not report.is_complete
    assert os.listdir(tmp_path / "target") == []


@pytest.mark.parametrize("depth", [0, 1])
def test_links_that_stand_in_the_target_are_not_followed(
    repository: Repository, source: Path, tmp_path: Path, depth: int
) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    above = Path(f"{target}{source if depth else source.parent}")
    above.mkdir(parents=True)
    (above / ("inner" if depth else source.name)).symlink_to(outside)
    report = bring_back(repository, back_up(repository, source), target)
    assert not report.is_complete
    assert os.listdir(outside) == []


def test_files_are_replaced_and_not_written_through_links(
    repository: Repository, source: Path, tmp_path: Path
) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.write_text("precious")
    Path(f"{target}{source}").mkdir(parents=True)
    Path(f"{target}{source}/one.txt").symlink_to(outside)
    bring_back(repository, back_up(repository, source), target)
    assert outside.read_text() == "precious"
    assert Path(f"{target}{source}/one.txt").read_text() == "one\n"


def test_a_hard_link_must_have_the_same_contents(repository: Repository, tmp_path: Path) -> None:
    one, two = store_blob(repository, b"one"), store_blob(repository, b"two")
    nodes = [
        Node(b"a", "file", FILE, inode=5, device_id=6, links=3, size=3, content=(one,)),
        Node(b"b", "file", FILE, inode=5, device_id=6, links=3, size=3, content=(two,)),
        Node(b"c", "file", FILE, inode=5, device_id=6, links=3, size=3, content=(one,)),
    ]
    bring_back(repository, store_tree(repository, *nodes), tmp_path / "target")
    target = tmp_path / "target"
    assert (target / "a").samefile(target / "c")
    assert (target / "b").read_bytes() == b"two"


def test_a_first_name_that_was_replaced_is_not_linked_to(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, secret = tmp_path / "target", tmp_path / "secret"
    secret.write_text("secret")
    blob = store_blob(repository, b"shared")
    nodes = [
        Node(name, "file", FILE, inode=5, device_id=6, links=2, size=6, content=(blob,))
        for name in (b"a", b"b")
    ]
    real = Folders.link

    def swap(self: object, *args: object, **kwargs: object) -> None:
        (target / "a").unlink()
        (target / "a").symlink_to(secret)
        real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Folders, "link", swap)
    report = bring_back(repository, store_tree(repository, *nodes), target)
    assert report.is_complete
    assert (target / "b").read_bytes() == b"shared"
    assert not (target / "b").is_symlink()


def test_a_folder_moved_while_it_is_restored_stops_the_work(
    repository: Repository, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    real = FileRestorer.add_files

    def move(self: FileRestorer, ref: FolderRef, nodes: list[Node]) -> list[Node]:
        if ref.path.endswith(b"/inner"):
            os.rename(f"{target}{source}/inner", tmp_path / "elsewhere")
        return real(self, ref, nodes)

    monkeypatch.setattr(FileRestorer, "add_files", move)
    with pytest.raises(RestoreError, match="moved"):
        bring_back(repository, back_up(repository, source), target)


def test_a_target_that_is_a_file(repository: Repository, source: Path, tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    with pytest.raises(RestoreError, match="Cannot restore to"):
        bring_back(repository, back_up(repository, source), tmp_path / "target")


def test_a_folder_in_the_way_of_a_file(
    repository: Repository, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    Path(f"{target}{source}/one.txt/full").mkdir(parents=True)
    report = bring_back(repository, back_up(repository, source), target)
    assert [issue.path for issue in report.issues] == [os.fsencode(source / "one.txt")]
    assert leftovers(target) == []


def test_an_interrupted_file_leaves_what_was_there(
    repository: Repository, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, target = back_up(repository, source), tmp_path / "target"
    there = Path(f"{target}{source}/one.txt")
    there.parent.mkdir(parents=True)
    there.write_text("old")

    parent = os.getpid()

    def stop(*_: object, **__: object) -> None:
        if os.getpid() != parent:
            time.sleep(60)  # in the middle of a file when the parent is interrupted
        raise KeyboardInterrupt

    monkeypatch.setattr(pool.WorkerPool, "results", stop)
    monkeypatch.setattr(file_writer, "native", None)
    monkeypatch.setattr(file_writer, "write_content", stop)
    with pytest.raises(KeyboardInterrupt):
        bring_back(repository, snapshot, target)
    assert there.read_text() == "old"
    assert leftovers(target) == []
    assert list(repository.storage.list(ObjectKind.LOCK)) == []


def test_who_is_told_to_stop_removes_what_was_begun(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes when the file is there and nobody has got hold of it yet."""
    seen = tmp_path.stat()
    ref = FolderRef(b"", seen.st_dev, seen.st_ino)
    worker = file_writer.FileWriter(repository.storage, repository.master, os.fsencode(tmp_path))
    kind = type(worker.folders.open(ref))
    real = kind.new_file

    def stop(self: object, name: bytes) -> int:
        os.close(real(self, name))  # type: ignore[arg-type]
        raise SystemExit(0)

    monkeypatch.setattr(file_writer, "native", None)
    monkeypatch.setattr(kind, "new_file", stop)
    its = raw_attributes(Node(b"file", "file", FILE))
    with pytest.raises(SystemExit):
        worker.write_piece(ref, Piece(0, 0, 0, b"", 0, b"file", 0, 0, its), b"data")
    assert len(list(tmp_path.glob("*.part"))) == 1
    worker.close()
    assert list(tmp_path.glob("*.part")) == []
    assert not (tmp_path / "file").exists()


def test_a_worker_that_dies_is_said(
    repository: Repository, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = back_up(repository, source)
    monkeypatch.setattr(dispatcher, "IN_PROCESS_PIECES", -1)
    monkeypatch.setattr(file_writer, "native", None)
    monkeypatch.setattr(
        file_writer, "write_content", lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    )
    with pytest.raises(WorkerError, match="Run the same command again"):
        bring_back(repository, snapshot, tmp_path / "target")
    assert multiprocessing.active_children() == []


def test_a_storage_that_fails_in_the_middle_stops_the_restore(
    repository: Repository, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = back_up(repository, source)
    real = repository.storage.load

    def fail(kind: ObjectKind, name: str, **part: int) -> bytes:
        if kind is ObjectKind.DATA:
            raise UnreachableError("gone")
        return real(kind, name, **part)

    monkeypatch.setattr(repository.storage, "load", fail)
    with pytest.raises(StorageError):
        bring_back(repository, snapshot, tmp_path / "target")


def spoil(repository: Repository, kind: BlobKind, blob: bytes) -> None:
    """Change one byte of a blob on disk."""
    repository.load_index()
    (copy,) = repository.index.locate(kind, blob)
    pack = Path(repository.storage.location, "data", copy.pack.hex()[:2], copy.pack.hex())
    data = bytearray(pack.read_bytes())
    data[copy.offset + 20] ^= 1
    os.chmod(pack, 0o600)
    pack.write_bytes(data)


def test_a_damaged_file_is_not_restored_and_the_others_are(
    repository: Repository, source: Path, tmp_path: Path
) -> None:
    snapshot, target = back_up(repository, source), tmp_path / "target"
    spoil(repository, BlobKind.DATA, hashlib.sha256(b"two\n").digest())
    report = bring_back(repository, snapshot, target)
    (issue,) = report.issues
    assert issue.path == os.fsencode(source / "inner" / "two.txt")
    assert "damaged in every copy" in str(issue)
    assert not Path(f"{target}{source}/inner/two.txt").exists()
    assert Path(f"{target}{source}/one.txt").read_text() == "one\n"
    assert leftovers(target) == []


def test_another_copy_of_a_damaged_blob_is_used(
    repository: Repository, source: Path, tmp_path: Path
) -> None:
    snapshot = back_up(repository, source)
    blob = hashlib.sha256(b"two\n").digest()
    spoil(repository, BlobKind.DATA, blob)
    uploader = Uploader(
        reopen(repository)
    )  # whose index is empty, so that it stores the blob once more
    uploader.add(BlobKind.DATA, b"two\n")
    uploader.flush()
    report = bring_back(repository, snapshot, tmp_path / "target")
    assert report.is_complete
    assert Path(f"{tmp_path}/target{source}/inner/two.txt").read_text() == "two\n"


def test_a_copy_that_is_bad_once_is_asked_for_again(
    repository: Repository, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = back_up(repository, source)
    real, seen = repository.storage.load, set()

    def once(kind: ObjectKind, name: str, **part: int) -> bytes:
        data = real(kind, name, **part)
        if kind in (ObjectKind.KEY, ObjectKind.CONFIG) or (kind, name, *part.items()) in seen:
            return data
        seen.add((kind, name, *part.items()))
        return bytes(len(data))

    monkeypatch.setattr(repository.storage, "load", once)
    report = bring_back(repository, snapshot, tmp_path / "target")
    assert report.is_complete
    assert len(seen) >= 3


@pytest.mark.parametrize(
    "change",
    [
        {"type": "irregular"},
        {"type": "dev", "device": 2**64 - 1},
        {"type": "symlink", "link_target": b""},
        {"content": (bytes(32),)},
        {"type": "dir", "subtree": None},
        {"type": "dir", "subtree": bytes(32)},
        {"name": b"n" * 300},
    ],
)
def test_nodes_that_cannot_be_made_are_said(
    repository: Repository, tmp_path: Path, change: dict[str, object]
) -> None:
    node = Node(name=b"odd", type="file", mode=FILE, content=())
    snapshot = store_tree(repository, node._replace(**change), Node(b"z", "file", FILE, content=()))  # type: ignore[arg-type]
    report = bring_back(repository, snapshot, tmp_path / "target")
    assert not report.is_complete
    assert (tmp_path / "target" / "z").exists()
