"""What is there already and stays: it gets its attributes, and its names stay together."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.repository import Repository
from nightsafe.restorer.options import RestoreOptions, RestoreReport
from nightsafe.restorer.restore import restore

from tests.support.agent.restore_modes import MODES, use_mode
from tests.support.agent.trees import fingerprint, make_mixed_tree, set_xattr
from tests.unit.agent.conftest import reopen


@pytest.fixture(params=MODES, autouse=True)
def _every_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    use_mode(request.param, monkeypatch)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def snapshot(repository: Repository, source: Path, target: Path) -> Iterator[Snapshot]:
    """A snapshot that is restored already: a file of one name, and one of three."""
    (source / "a").write_text("shared")
    for name in ("b", "inner/c"):
        os.link(source / "a", source / name)
    set_xattr(source / "one.txt", "user.colour", b"brass")
    (source / "one.txt").chmod(0o640)
    backup(repository, [os.fsencode(source)])
    (taken,) = repository.load_snapshots().sound
    bring_back(repository, taken, target)
    yield taken
    assert fingerprint(inside(target, source)) == fingerprint(source)


def inside(target: Path, source: Path) -> Path:
    return Path(f"{target}{source}")


def bring_back(
    repository: Repository, snapshot: Snapshot, target: Path, overwrite: str = "if-changed"
) -> RestoreReport:
    options = RestoreOptions(overwrite=overwrite)
    report = restore(reopen(repository), snapshot, os.fsencode(target), options=options)
    assert report.issues == []
    return report


def set_time_as(path: Path, other: Path) -> None:
    os.utime(path, ns=(0, other.stat().st_mtime_ns))


def test_what_stays_gets_its_attributes(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path
) -> None:
    path = inside(target, source) / "one.txt"
    number = path.stat().st_ino
    path.chmod(0o666)
    set_xattr(path, "user.colour", b"other")
    set_xattr(path, "user.extra", b"x")
    if os.geteuid() == 0:
        os.chown(path, 1234, 1234)
    set_time_as(path, source / "one.txt")
    report = bring_back(repository, snapshot, target)
    assert (report.files, report.skipped) == (0, 6)
    assert path.stat().st_ino == number


def test_folders_lose_attributes_that_the_snapshot_does_not_hold(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path
) -> None:
    set_xattr(inside(target, source) / "inner", "user.extra", b"x")
    bring_back(repository, snapshot, target)


@pytest.mark.parametrize("gone", [("a",), ("b",), ("inner/c",), ("a", "b"), ("b", "inner/c")])
def test_names_that_are_gone_lead_to_the_same_file_again(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path, gone: tuple[str, ...]
) -> None:
    for name in gone:
        (inside(target, source) / name).unlink()
    bring_back(repository, snapshot, target)


@pytest.mark.parametrize("name", ["a", "b", "inner/c"])
@pytest.mark.parametrize("is_alike", [True, False])
def test_names_that_came_apart_are_one_file_again(
    repository: Repository,
    snapshot: Snapshot,
    source: Path,
    target: Path,
    name: str,
    is_alike: bool,
) -> None:
    path = inside(target, source) / name
    path.unlink()
    path.write_text("shared" if is_alike else "other!")
    if is_alike:
        set_time_as(path, source / "a")
    bring_back(repository, snapshot, target)


def test_a_file_with_more_names_than_it_had_is_made_anew(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path, tmp_path: Path
) -> None:
    """Its other name is none of ours, and what it leads to is not changed."""
    for name in ("one.txt", "a"):
        path, other = inside(target, source) / name, tmp_path / f"other-{name}"
        os.link(path, other)
        other.chmod(0o600)
        set_time_as(path, source / name)
    bring_back(repository, snapshot, target)
    for name in ("one.txt", "a"):
        path, other = inside(target, source) / name, tmp_path / f"other-{name}"
        assert not path.samefile(other)
        assert stat.S_IMODE(other.stat().st_mode) == 0o600


def test_what_is_kept_for_being_there_is_not_touched(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path
) -> None:
    path = inside(target, source) / "one.txt"
    path.chmod(0o600)
    for overwrite in ("never", "if-newer"):
        bring_back(repository, snapshot, target, overwrite)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    (inside(target, source) / "b").unlink()
    bring_back(repository, snapshot, target, "never")
    assert not (inside(target, source) / "b").samefile(inside(target, source) / "a")
    bring_back(repository, snapshot, target)


def test_one_of_everything_stays(repository: Repository, tmp_path: Path) -> None:
    source, target = tmp_path / "mixed", tmp_path / "mixed-target"
    make_mixed_tree(source)
    backup(repository, [os.fsencode(source)])
    (snapshot,) = repository.load_snapshots().sound
    bring_back(repository, snapshot, target)
    numbers = {path: path.stat().st_ino for path in inside(target, source).rglob("*.bin")}
    report = bring_back(repository, snapshot, target)
    assert report.files == 0
    assert numbers == {path: path.stat().st_ino for path in numbers}
    assert fingerprint(inside(target, source)) == fingerprint(source)
