"""What killed restores leave goes with the next one, and what running ones make stays."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.repository import Repository
from nightsafe.target import leftovers
from nightsafe.target.directory_by_fd import FdDirectory

from tests.support.agent.restore_modes import use_mode
from tests.unit.agent.conftest import PASSPHRASE
from tests.unit.agent.restorer.test_restore import back_up, bring_back
from tests.unit.agent.restorer.test_restore_full import leftovers as parts

STALE = ".nightsafe-0123456789abcdef.part"
STALE_TOO = ".nightsafe-0123456789abcdef-12.part"
_KILLED = """
import sys, time
from nightsafe.file_restorer import file_writer as writer
from nightsafe.cli import main
def stop(*_):
    print("here", flush=True)
    time.sleep(60)
writer.write_all = stop
raise SystemExit(main(sys.argv[1:]))
"""
"""A restore that stops for good where a file is about to be filled."""


@pytest.fixture
def large(source: Path) -> Path:
    """A source with a file of several blobs, in a folder of its own."""
    (source / "inner" / "large").write_bytes(os.urandom(3 << 20))
    return source


@pytest.fixture
def snapshot(repository: Repository, large: Path) -> Snapshot:
    return back_up(repository, large)


def litter(folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / STALE, folder / STALE_TOO]
    for path in made:
        path.write_bytes(b"unfinished")
    return made


def stopped_restore(repository: Repository, target: Path) -> "subprocess.Popen[bytes]":
    """A restore in a process of its own, in the middle of a large file."""
    command = [sys.executable, "-c", _KILLED]
    command += ["-r", repository.storage.location, "restore", "latest", "-t", str(target)]
    environment = os.environ | {"NIGHTSAFE_PASSWORD": PASSPHRASE}
    run = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == b"here\n"
    return run


def end(run: "subprocess.Popen[bytes]") -> None:
    run.send_signal(signal.SIGKILL)
    run.communicate()


def test_what_a_killed_restore_left_goes_with_the_next(
    repository: Repository, snapshot: Snapshot, large: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    run = stopped_restore(repository, target)
    try:
        (unfinished,) = parts(target)
        report = bring_back(repository, snapshot, target)
        assert report.is_complete
        assert parts(target) == [unfinished]  # that restore still runs
    finally:
        end(run)
    report = bring_back(repository, snapshot, target)
    assert parts(target) == []
    assert [issue.kind for issue in report.issues] == ["notice"]
    assert report.is_complete
    restored = Path(f"{target}{large}/inner/large")
    assert restored.read_bytes() == (large / "inner" / "large").read_bytes()


@pytest.mark.parametrize("way", ["one process", "workers"])
def test_only_what_is_unfinished_goes(
    repository: Repository,
    snapshot: Snapshot,
    large: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    use_mode(way, monkeypatch)
    target = tmp_path / "target"
    inner = Path(f"{target}{large}/inner")
    for folder in (target, inner):
        litter(folder)
    outside = tmp_path / "outside"
    outside.write_text("mine")
    others = [
        target / ".nightsafe-mine.part",
        target / f"{STALE}.old",
        inner / ".nightsafe-fedcba9876543210.part",
        target / ".nightsafe-00000000000000ff.part",
    ]
    for path in others[:2]:
        path.write_text("mine")
    others[2].symlink_to(outside)
    others[3].mkdir()
    assert bring_back(repository, snapshot, target).is_complete
    assert sorted(parts(target)) == sorted([others[0], others[2], others[3]])
    assert all(path.exists() for path in (*others, outside))


@pytest.mark.parametrize("level", ["target", "above", "within"])
def test_what_another_restore_may_have_in_use_stays(
    repository: Repository, snapshot: Snapshot, large: Path, tmp_path: Path, level: str
) -> None:
    """Whether its target is the same, has ours in it or lies in ours."""
    target = tmp_path / "target"
    inner = Path(f"{target}{large}/inner")
    made = litter(inner)
    theirs = {"target": target, "above": tmp_path, "within": inner}[level]
    lock = os.open(theirs, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert bring_back(repository, snapshot, target).is_complete
        assert sorted(parts(target)) == sorted(made)
    finally:
        os.close(lock)
    assert bring_back(repository, snapshot, target).is_complete
    assert parts(target) == []


def test_what_a_later_restore_to_the_same_folder_makes_stays(tmp_path: Path) -> None:
    here, there = (FdDirectory.at(os.fsencode(tmp_path)) for _ in range(2))
    first, second = leftovers.TargetLock(here), leftovers.TargetLock(there)
    litter(tmp_path)
    assert first.clear(here, keep=()) == []
    assert second.clear(there, keep=()) == []
    first.close()
    second.close()
    third = leftovers.TargetLock(here)
    assert third.clear(there, keep=[STALE.encode()]) == [STALE_TOO.encode()]
    assert third.clear(there, keep=()) == [STALE.encode()]
    third.close()
    here.close()
    there.close()


def test_where_folders_cannot_be_locked_all_is_left(
    repository: Repository, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(9, "Bad file descriptor")  # as NFS answers

    monkeypatch.setattr(fcntl, "flock", refuse)
    made = litter(tmp_path / "target")
    assert bring_back(repository, snapshot, tmp_path / "target").is_complete
    assert sorted(parts(tmp_path / "target")) == sorted(made)
