"""The agent and stock restic on the same repository, in a folder and behind rclone's server."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.base import Backend
from nightsafe.backend.local import LocalBackend
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.rest_url import Credential
from nightsafe.errors import LockedError
from nightsafe.maintenance.check import check
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.find_snapshot import find
from nightsafe.repository.locks import hold_lock
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import walk
from nightsafe.restorer.restore import restore
from nightsafe.scanner.stat_trust import StatTrust

from tests.support import repositories
from tests.support.agent.servers import rclone_server
from tests.support.agent.trees import fingerprint, make_mixed_tree
from tests.support.programs import program

pytestmark = pytest.mark.interop
PASSPHRASE = "one passphrase for both"


@pytest.fixture(autouse=True)
def _nothing_is_young(monkeypatch: pytest.MonkeyPatch) -> None:
    """What had just been made when it was read would be read again, and cut as we do."""
    monkeypatch.setattr(StatTrust, "before", lambda began: StatTrust(began, began))


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@dataclass
class Place:
    """One repository as both programs see it."""

    storage: Backend
    address: str
    cache: Path

    def restic(self, *arguments: str, **options: Any) -> str:
        """Run stock restic; it must succeed. Returns its standard output."""
        done = self.start_restic(*arguments, **options)
        out, errors = done.communicate(timeout=120)
        assert done.returncode == 0, errors
        return str(out)

    def start_restic(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        environment = os.environ | {
            "RESTIC_PASSWORD": PASSPHRASE,
            "RESTIC_REPOSITORY": self.address,
            "RESTIC_CACHE_DIR": str(self.cache),
        }
        return subprocess.Popen(
            [program("restic"), "--no-cache", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def init_by_restic(self, *arguments: str) -> None:
        if arguments:
            self.restic("init", *arguments)
        else:
            repositories.make(self.storage, PASSPHRASE, by_restic=True)

    def init_by_agent(self) -> None:
        repositories.make(self.storage, PASSPHRASE)

    def opened(self) -> Repository:
        return Repository.open(self.storage, PASSPHRASE)

    def agent_backup(self, *paths: Path, options: BackupOptions | None = None) -> Any:
        report = backup(self.opened(), [os.fsencode(path) for path in paths], options)
        assert report.issues == []
        return report

    def agent_restore(self, target: Path) -> None:
        repository = self.opened()
        newest = repository.load_snapshots().sound[-1]
        assert restore(repository, newest, os.fsencode(target)).issues == []

    def snapshots(self) -> list[dict[str, Any]]:
        """All snapshots as restic lists them, oldest first."""
        listed: list[dict[str, Any]] = json.loads(self.restic("snapshots", "--json"))
        return sorted(listed, key=lambda snapshot: snapshot["time"])


@pytest.fixture(params=["folder", "rclone"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    program("restic")
    cache = tmp_path / "cache"
    if request.param == "folder":
        folder = str(tmp_path / "repository")
        yield Place(LocalBackend(folder), folder, cache)
        return
    with rclone_server(tmp_path / "served") as url:
        storage = RestBackend(url, Credential("device-1", "s3cret"), patience=5)
        yield Place(storage, f"rest:{url.replace('//', '//device-1:s3cret@')}", cache)
        storage.close()


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of everything, named from the current folder as `mixed`.

    By a relative name no folder above it belongs to the snapshot, whose times others change.
    """
    make_mixed_tree(tmp_path / "mixed")
    monkeypatch.chdir(tmp_path)
    return Path("mixed")


def assert_restic_restores(place: Place, source: Path, target: Path) -> None:
    place.restic("restore", "latest", "--target", str(target))
    assert fingerprint(target / source) == fingerprint(source)


def test_what_the_agent_backs_up_restic_checks_restores_and_finds_unchanged(
    place: Place, mixed: Path, tmp_path: Path
) -> None:
    place.init_by_restic()
    report = place.agent_backup(mixed)
    assert "no errors were found" in place.restic("check", "--read-data")
    summary = place.restic("backup", "--json", str(mixed)).splitlines()[-1]
    assert json.loads(summary)["data_added"] == 0
    ours, theirs = place.snapshots()
    assert ours["id"] == report.snapshot_id
    assert theirs["tree"] == ours["tree"] == report.tree_id
    assert theirs["parent"] == ours["id"]
    assert ours["paths"] == theirs["paths"]
    assert ours["hostname"] == theirs["hostname"]
    assert_restic_restores(place, mixed, tmp_path / "by-restic")


def test_a_repository_that_the_agent_made_serves_restic(
    place: Place, mixed: Path, tmp_path: Path
) -> None:
    place.init_by_agent()
    place.restic("backup", str(mixed))
    assert "no errors were found" in place.restic("check", "--read-data")
    assert json.loads(place.restic("cat", "config"))["version"] == 2
    place.agent_restore(tmp_path / "by-agent")
    assert fingerprint(tmp_path / "by-agent" / mixed) == fingerprint(mixed)
    assert check(place.opened(), read_data=True).errors == []


def test_on_top_of_restic_the_agent_sends_no_file_again(place: Place, mixed: Path) -> None:
    place.init_by_restic()
    place.restic("backup", str(mixed))
    report = place.agent_backup(mixed)
    assert (report.count.new, report.count.changed) == (0, 0)
    assert (report.count.added_blobs, report.count.stored_bytes) == (0, 0)
    theirs, ours = place.snapshots()
    assert theirs["tree"] == ours["tree"]
    assert ours["parent"] == theirs["id"]


def test_one_changed_file_on_top_of_restic(place: Place, mixed: Path) -> None:
    place.init_by_restic()
    place.restic("backup", str(mixed))
    (mixed / "small.txt").write_text("changed\n")
    report = place.agent_backup(mixed)
    assert report.count.changed == 1
    assert report.count.stored_bytes < 100_000
    assert "no errors were found" in place.restic("check", "--read-data")


@pytest.mark.parametrize(
    "paths",
    [
        ["mixed"],
        ["mixed/sticky", "mixed/small.txt"],
        ["."],
        ["./mixed/../mixed/sticky"],
        ["mixed", "mixed/deeper/deeper"],
        ["../{name}/mixed/sticky", "mixed/sticky"],
    ],
    ids=" ".join,
)
def test_relative_and_several_paths_make_the_same_tree(
    mixed: Path, tmp_path: Path, paths: list[str]
) -> None:
    folder = str(tmp_path.parent / f"{tmp_path.name}-repository")
    place = Place(LocalBackend(folder), folder, tmp_path / "cache")
    place.init_by_agent()
    paths = [path.format(name=tmp_path.name) for path in paths]
    report = place.agent_backup(*map(Path, paths) if "." not in paths else [Path()])
    place.restic("backup", *paths)
    ours, theirs = place.snapshots()
    assert theirs["tree"] == report.tree_id
    assert theirs["paths"] == ours["paths"]


def test_absolute_paths_stand_below_their_ancestors(mixed: Path, tmp_path: Path) -> None:
    folder = str(tmp_path.parent / f"{tmp_path.name}-repository")
    place = Place(LocalBackend(folder), folder, tmp_path / "cache")
    place.init_by_agent()
    place.agent_backup(tmp_path / mixed)
    place.restic("backup", str(tmp_path / mixed))
    found = [subtree(place, snapshot["id"], tmp_path / mixed) for snapshot in place.snapshots()]
    assert found[0] == found[1]
    assert len(found) == 2


def subtree(place: Place, snapshot_id: str, path: Path) -> bytes | None:
    """The id of the tree at an absolute path; those above it vary with other people's files."""
    repository = place.opened()
    snapshot = find(repository, snapshot_id).snapshot
    repository.load_index()
    return next(
        found.node.subtree
        for found in walk(BlobReader(repository), snapshot.tree)
        if found.path == os.fsencode(path)
    )


def test_format_1_is_read_and_written(mixed: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "repository")
    place = Place(LocalBackend(folder), folder, tmp_path / "cache")
    place.init_by_restic("--repository-version", "1")
    place.restic("backup", str(mixed))
    place.agent_restore(tmp_path / "target")
    assert fingerprint(tmp_path / "target" / mixed) == fingerprint(mixed)
    (mixed / "new").write_text("new")
    place.agent_backup(mixed)
    assert "no errors were found" in place.restic("check", "--read-data")
    assert_restic_restores(place, mixed, tmp_path / "by-restic")


def test_pruning_by_restic_leaves_the_agents_snapshots_whole(
    place: Place, mixed: Path, tmp_path: Path
) -> None:
    place.init_by_restic()
    place.agent_backup(mixed)
    (mixed / "large.bin").write_bytes(os.urandom(2_000_000))
    place.agent_backup(mixed)
    place.restic("forget", "--keep-last", "1", "--prune", "--max-unused", "0")
    assert check(place.opened(), read_data=True).errors == []
    place.agent_restore(tmp_path / "target")
    assert fingerprint(tmp_path / "target" / mixed) == fingerprint(mixed)


def test_restic_sees_the_agents_locks(place: Place) -> None:
    place.init_by_restic()
    with hold_lock(place.opened()):
        (name,) = place.restic("list", "locks", "--no-lock").split()
        assert json.loads(place.restic("cat", "lock", name))["pid"] == os.getpid()
        pruning = place.start_restic("prune")
        assert "already locked" in pruning.communicate(timeout=60)[1]
        assert pruning.returncode != 0
    place.restic("prune")


def test_the_agent_sees_restics_locks(place: Place) -> None:
    place.init_by_restic()
    waiting = place.start_restic("backup", "--stdin", stdin=subprocess.PIPE)
    try:
        repository = place.opened()
        deadline = time.monotonic() + 30
        while not place.restic("list", "locks", "--no-lock").split():
            assert time.monotonic() < deadline, "restic made no lock"
        with hold_lock(repository):
            pass
        with (
            pytest.raises(LockedError, match=f"process {waiting.pid}"),
            hold_lock(repository, exclusive=True),
        ):
            pytest.fail("held")
    finally:
        waiting.communicate("done\n", timeout=60)


def test_a_link_target_that_is_not_unicode_survives_the_agent(place: Place, tmp_path: Path) -> None:
    """restic 0.14 loses such bytes; later ones keep them in the field that we write too."""
    place.init_by_restic()
    source = tmp_path / "source"
    source.mkdir()
    os.symlink(b"not utf-8 \xff", os.fsencode(source / "link"))
    place.agent_backup(source)
    place.agent_restore(tmp_path / "target")
    assert fingerprint(Path(f"{tmp_path}/target{source}")) == fingerprint(source)
    assert "no errors were found" in place.restic("check")
