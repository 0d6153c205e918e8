"""Drills: what came back is proven, and what did not, or is otherwise on the disk, is said."""

import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.assurance.drill import DrillOptions, DrillReport, drill
from nightsafe.assurance.record import load_record, save_record
from nightsafe.backend.base import ObjectKind
from nightsafe.cli import main
from nightsafe.errors import RestoreError, SettingsError
from nightsafe.progress import Issue
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.find_snapshot import find
from nightsafe.repository.repository import Repository

from tests.unit.agent.conftest import PASSPHRASE


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    for number in range(30):
        folder = top / f"folder-{number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number} ü").write_bytes(os.urandom(1000 * number))
    (top / "link").symlink_to("nowhere")
    os.mkfifo(top / "pipe")
    return top


@pytest.fixture
def saved(repository: Repository, tree: Path) -> Snapshot:
    backup(repository, [os.fsencode(tree)])
    return find(repository, "latest").snapshot


def tried(
    repository: Repository, saved: Snapshot, tmp_path: Path, *, files: int = 100, size: int = 10**9
) -> DrillReport:
    options = DrillOptions(files, size, str(tmp_path / "scratch"))
    report = drill(repository, saved, options, chance=random.Random(7))
    assert os.listdir(tmp_path / "scratch") == [], "nothing is left"
    return report


def test_everything_comes_back_as_it_is(
    repository: Repository, saved: Snapshot, tmp_path: Path
) -> None:
    report = tried(repository, saved, tmp_path)
    assert (report.of_files, report.files, report.equal) == (30, 30, 30)
    assert report.bytes == sum(1000 * number for number in range(30))
    assert report.has_passed
    assert (tmp_path / "scratch").stat().st_mode & 0o777 == 0o700


def test_so_many_are_drawn_and_not_more_bytes_than_may_be(
    repository: Repository, saved: Snapshot, tmp_path: Path, chance: random.Random
) -> None:
    assert tried(repository, saved, tmp_path, files=7).files == 7
    seen: set[int] = set()
    for _ in range(40):
        options = DrillOptions(30, 50_000, str(tmp_path / "scratch"))
        report = drill(repository, saved, options, chance=chance)
        assert report.bytes <= 50_000
        seen.add(report.bytes)
    assert len(seen) > 1, "others each time"


def test_one_file_is_tried_however_large(
    repository: Repository, saved: Snapshot, tmp_path: Path
) -> None:
    only = tmp_path / "alone"
    only.write_bytes(os.urandom(50_000))
    backup(repository, [os.fsencode(only)])
    report = tried(repository, find(repository, "latest").snapshot, tmp_path, size=10)
    assert (report.files, report.bytes) == (1, 50_000)


def test_what_changed_or_went_since_is_no_failure(
    repository: Repository, saved: Snapshot, tree: Path, tmp_path: Path
) -> None:
    (tree / "folder-1" / "file 1 ü").write_bytes(b"new")
    (tree / "folder-2" / "file 2 ü").unlink()
    os.utime(tree / "folder-3" / "file 3 ü", (1, 1))
    (tree / "folder-4" / "file 4 ü").unlink()
    os.mkfifo(tree / "folder-4" / "file 4 ü")
    report = tried(repository, saved, tmp_path)
    assert (report.files, report.equal, report.changed, report.gone) == (30, 26, 3, 1)
    assert report.has_passed


def test_bytes_that_changed_in_silence_are_found(
    repository: Repository, saved: Snapshot, tree: Path, tmp_path: Path
) -> None:
    path = tree / "folder-1" / "file 21 ü"
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    report = tried(repository, saved, tmp_path)
    assert [issue.path for issue in report.issues] == [os.fsencode(path)]
    assert "differs from what was backed up" in report.issues[0].text
    assert (report.files, report.equal) == (30, 29)
    assert not report.has_passed


def test_what_does_not_come_back_is_named(
    repository: Repository, saved: Snapshot, tmp_path: Path
) -> None:
    packs = Path(repository.storage.location) / "data"
    largest = max((p for p in packs.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    largest.chmod(0o600)
    largest.write_bytes(os.urandom(largest.stat().st_size))
    report = tried(repository, saved, tmp_path)
    assert not report.has_passed
    assert report.files < 30
    assert all(issue.text for issue in report.issues)
    named = {issue.path for issue in report.issues}
    assert len(named) + report.files >= 30


def test_a_tree_that_cannot_be_read_is_said(
    repository: Repository, saved: Snapshot, tmp_path: Path
) -> None:
    for listing in list(repository.storage.list(ObjectKind.DATA)):
        path = next((Path(repository.storage.location) / "data").rglob(listing.name))
        path.chmod(0o600)
        path.write_bytes(bytes(path.stat().st_size))
    report = drill(repository, saved, DrillOptions(scratch=str(tmp_path / "scratch")))
    assert not report.has_passed
    assert report.files == 0


def test_a_snapshot_without_files(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    backup(repository, [os.fsencode(tmp_path / "empty")])
    with pytest.raises(RestoreError, match="holds no file"):
        tried(repository, find(repository, "latest").snapshot, tmp_path)


def test_where_there_can_be_no_scratch_place(
    repository: Repository, saved: Snapshot, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="There can be no scratch place in"):
        drill(repository, saved, DrillOptions(scratch=str(tmp_path / "file" / "x")))


def test_nothing_is_left_of_folders_that_nobody_may_write_into(
    repository: Repository, tree: Path, tmp_path: Path
) -> None:
    (tree / "folder-1").chmod(0o555)
    try:
        backup(repository, [os.fsencode(tree)])
        report = tried(repository, find(repository, "latest").snapshot, tmp_path)
    finally:
        (tree / "folder-1").chmod(0o755)
    assert report.has_passed


AT = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)


def test_the_last_drill_is_remembered(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    assert load_record(folder) is None
    passed = DrillReport("ab" * 32, 100, 20, 5000, 18, 1, 1)
    save_record(passed, AT, folder)
    found = load_record(folder)
    assert found is not None
    assert (found.passed, found.at, found.passed_at, found.files) == (True, AT, AT, 20)
    failed = DrillReport("cd" * 32, issues=[Issue("failed", b"/x", "gone")])
    save_record(failed, AT + timedelta(days=1), folder)
    found = load_record(folder)
    assert found is not None
    assert (found.passed, found.passed_at, found.failed) == (False, AT, 1)
    for text in ("", "[]", "{}", '{"at": 5}'):
        (tmp_path / "state" / "drill.json").write_text(text)
        assert load_record(folder) is None


def test_the_command(
    repository: Repository,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    assert main(["drill"]) == 1
    assert "holds no snapshot yet" in capsys.readouterr().err
    assert main(["backup", str(tree / "folder-1"), "-q"]) == 0
    assert main(["drill", "--files", "3"]) == 0
    said = capsys.readouterr().out
    assert "3 files of 6, " in said
    assert "The drill has passed." in said
    assert main(["status"]) == 0
    assert "by a drill of 3 files." in capsys.readouterr().out
    path = tree / "folder-1" / "file 21 ü"
    times = path.stat()
    path.write_bytes(bytes(times.st_size))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert main(["drill", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["passed"], told["equal"]) == (False, 5)
    assert told["failed"][0]["path"] == str(path)
    assert main(["status", "--json"]) == 0
    drilled = json.loads(capsys.readouterr().out)["drill"]
    assert (drilled["passed"], drilled["failed"]) == (False, 1)
    assert drilled["passed_at"] is not None
