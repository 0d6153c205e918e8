"""Repositories as stock restic makes them, of both format versions, by the restic of the stage.

The stages run this with each version of restic that tests are held against, the oldest of 2022, so
that every form that they wrote and write is read, kept and shown.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nightsafe.amounts import show_size
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.maintenance.check import check
from nightsafe.maintenance.forget import remove_snapshots
from nightsafe.maintenance.prune import PruneOptions, prune
from nightsafe.maintenance.prune_plan import parse_limit
from nightsafe.repofile.go_json import parse_time
from nightsafe.repository.unlock import open_key
from nightsafe.restorer.restore import restore

from tests.interop.test_agent_local import (
    PASSPHRASE,
    Place,
    _nothing_is_young,
    _own_data_directory,
)
from tests.support.agent.trees import fingerprint, make_mixed_tree
from tests.support.interop.generated_snapshots import Ours, restic_version
from tests.support.repositories import CHEAP, add_key

__all__ = ["_nothing_is_young", "_own_data_directory"]
pytestmark = pytest.mark.interop
SOURCE = Path("mixed")


@contextmanager
def within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture(scope="module", params=["1", "2"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A repository with two snapshots, and the folder that they are of beside it."""
    folder = tmp_path_factory.mktemp(f"version-{request.param}")
    storage = LocalBackend(str(folder / "repository"))
    place = Place(storage, str(folder / "repository"), folder / "cache")
    place.init_by_restic("--repository-version", request.param)
    dear = [listing.name for listing in storage.list(ObjectKind.KEY)]
    add_key(storage, open_key(storage, PASSPHRASE).master, PASSPHRASE, CHEAP)
    for name in dear:  # as it would cost half a second for each command
        storage.remove(ObjectKind.KEY, name)
    make_mixed_tree(folder / SOURCE)
    with within(folder):
        place.restic("backup", "--tag", "old,first", "--exclude", "*.none", str(SOURCE))
        (folder / SOURCE / "added later").write_bytes(os.urandom(2_000_000))
        place.restic("backup", str(SOURCE))
    return place


@pytest.fixture
def old(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of it, for one test, in the folder where its source is."""
    copied = tmp_path / "repository"
    shutil.copytree(made.address, copied)
    monkeypatch.chdir(Path(made.address).parent)
    monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(tmp_path / "cache"))
    return Place(LocalBackend(str(copied)), str(copied), tmp_path / "restic-cache")


def ours(place: Place, *arguments: str) -> str:
    status, out, err = Ours(place.opened()).run(*arguments)
    assert status == 0, err
    return out


def test_all_that_a_snapshot_says_is_shown(old: Place) -> None:
    shown = json.loads(ours(old, "snapshots", "--json"))["snapshots"]
    theirs = old.snapshots()
    assert [one["id"] for one in shown] == [one["id"] for one in theirs]
    for one, other in zip(shown, theirs, strict=True):
        same = {name: one[name] for name in ("time", "hostname", "username", "paths")}
        assert same == {name: other[name] for name in same}
        assert one["tree_id"] == other["tree"]
        assert one["parent_id"] == other.get("parent", "")
        assert one["tags"] == other.get("tags", [])
        assert one["excludes"] == other.get("excludes", [])
        assert one["program_version"] == other.get("program_version", "")
        assert one["summary"] == other.get("summary")
    if restic_version() >= (0, 17):
        assert shown[0]["summary"]["total_files_processed"] > 0
        lines = ours(old, "snapshots").splitlines()
        for line, one in zip(lines, shown, strict=True):
            assert line.endswith(f"  {show_size(one['summary']['total_bytes_processed'])}")


def test_all_that_a_tree_says_is_shown(old: Place) -> None:
    lines = map(json.loads, old.restic("ls", "--json", "latest").splitlines())
    theirs = [line for line in lines if line["struct_type"] == "node"]
    shown = [json.loads(line) for line in ours(old, "ls", "--json", "latest").splitlines()]
    assert len(shown) == len(theirs) > 10
    for one, other in zip(shown, theirs, strict=True):
        for name in ("type", "uid", "gid"):
            assert one[name] == other[name]
        assert one["size"] == other.get("size", 0)
        assert one["inode"] == other.get("inode", one["inode"]) > 0
        for name in ("mtime", "atime", "ctime"):
            assert parse_time(one[name]) == parse_time(other[name])


def test_it_is_whole_and_comes_back(old: Place, tmp_path: Path) -> None:
    report = check(old.opened(), read_data=True)
    assert (report.errors, report.snapshots) == ([], 2)
    old.agent_restore(tmp_path / "target")
    assert fingerprint(tmp_path / "target" / SOURCE) == fingerprint(SOURCE)


def test_it_is_gone_on_with(old: Place, tmp_path: Path) -> None:
    """Nothing is sent again, what goes is room, and what stays is what restic wrote."""
    before = raw_snapshots(old)
    report = old.agent_backup(SOURCE)
    assert (report.count.new, report.count.changed) == (0, 0)
    (tmp_path / "more").write_text("new " * 100_000)
    old.agent_backup(tmp_path / "more")
    repository = old.opened()
    first, *_ = repository.load_snapshots().sound
    remove_snapshots(repository, [first])
    prune(old.opened(), PruneOptions(limit=parse_limit("0")))
    assert "no errors were found" in old.restic("check", "--read-data")
    after = raw_snapshots(old)
    assert {name: after[name] for name in before if name != first.id} == {
        name: text for name, text in before.items() if name != first.id
    }
    kept = next(name for name in before if name != first.id)
    old.restic("restore", kept, "--target", str(tmp_path / "by-restic"))
    assert fingerprint(tmp_path / "by-restic" / SOURCE) == fingerprint(SOURCE)
    newest = old.opened().load_snapshots().sound[-1]
    assert restore(old.opened(), newest, os.fsencode(tmp_path / "by-us")).issues == []
    back = tmp_path / "by-us" / (tmp_path / "more").relative_to("/")
    assert back.read_text() == "new " * 100_000


def raw_snapshots(place: Place) -> dict[str, bytes]:
    folder = Path(place.address) / "snapshots"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_restic_writes_anew_keeps_its_origin(old: Place) -> None:
    """`restic tag` replaces a snapshot, ours and its own; it and we name the one before."""
    report = old.agent_backup(SOURCE)
    names = [one["id"] for one in old.snapshots()]
    assert names[-1] == report.snapshot_id
    old.restic("tag", "--add", "kept for good")
    shown: list[dict[str, Any]] = json.loads(ours(old, "snapshots", "--json"))["snapshots"]
    assert [one["original_id"] for one in shown] == names
    assert all("kept for good" in one["tags"] for one in shown)
    assert shown[-1]["program_version"].startswith("nightsafe ") or restic_version() < (0, 15)
    theirs = {one["id"]: one for one in old.snapshots()}
    assert [one["summary"] for one in shown] == [theirs[one["id"]].get("summary") for one in shown]


@pytest.mark.parametrize("made", ["1"], indirect=True)
def test_what_was_upgraded_is_compressed_from_then_on(old: Place, tmp_path: Path) -> None:
    assert json.loads(old.restic("cat", "config"))["version"] == 1
    old.restic("migrate", "upgrade_repo_v2")
    (tmp_path / "more").write_text("new " * 1_000_000)
    report = old.agent_backup(tmp_path / "more")
    assert report.count.stored_bytes < 100_000
    assert "no errors were found" in old.restic("check", "--read-data")
