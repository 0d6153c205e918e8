"""A restore over what is there already: what is right stays, and nothing else."""

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.file_restorer import comparison
from nightsafe.file_restorer.match import (
    DIFFERENT,
    SAME,
    TO_UPDATE,
    RawCheck,
    compare,
    portable_compare,
)
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import PatternSelection
from nightsafe.restorer.options import RestoreOptions, RestoreReport
from nightsafe.restorer.restore import restore
from nightsafe.target.directory import Directory
from nightsafe.target.directory_by_fd import FdDirectory

from tests.support.agent.extensions import needs
from tests.support.agent.native_uses import load
from tests.support.agent.restore_modes import MODES, use_mode
from tests.support.agent.trees import fingerprint, make_mixed_tree, set_xattr
from tests.unit.agent.conftest import reopen

PARTS = [b"one" * 1000, b"two", b"three" * 30_000, b"four"]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[FdDirectory]:
    """A folder with one file, of four blobs."""
    (tmp_path / "file").write_bytes(b"".join(PARTS))
    (tmp_path / "file").chmod(0o640)
    os.utime(tmp_path / "file", ns=(5, -1_500_000_000_000_000_001))
    opened = FdDirectory.at(os.fsencode(tmp_path))
    yield opened
    opened.close()


def check(**changed: object) -> RawCheck:
    parts = changed.pop("parts", PARTS)
    fields = {
        "name": b"file",
        "position": 0,
        "ids": b"".join(hashlib.sha256(part).digest() for part in parts),  # type: ignore[attr-defined]
        "lengths": array("Q", map(len, parts)).tobytes(),  # type: ignore[call-overload]
        "size": sum(map(len, PARTS)),
        "links": 1,
        "mode": 0o640,
        "uid": os.getuid(),
        "gid": os.getgid(),
        "mtime": -1_500_000_000_000_000_001,
        "xattrs": (),
        "atime": 0,
    }
    return tuple((fields | changed).values())


CASES: list[tuple[dict[str, object], int]] = [
    ({}, SAME),
    ({"parts": PARTS[1:], "position": 3000}, SAME),
    ({"parts": PARTS[1:]}, DIFFERENT),
    ({"parts": [*PARTS[:3], b"FOUR"]}, DIFFERENT),
    ({"parts": [b"ONE" * 1000, *PARTS[1:]]}, DIFFERENT),
    ({"parts": [*PARTS, b"five"]}, DIFFERENT),
    ({"size": 5}, DIFFERENT),
    ({"links": 0}, DIFFERENT),
    ({"name": b"none"}, DIFFERENT),
    ({"mode": 0o644}, TO_UPDATE),
    ({"uid": 12345}, TO_UPDATE),
    ({"gid": 12345}, TO_UPDATE),
    ({"mtime": 0}, TO_UPDATE),
    ({"xattrs": ((b"user.a", b"b"),)}, TO_UPDATE),
]


@pytest.mark.parametrize(("changed", "expected"), CASES)
@pytest.mark.parametrize("way", [compare, portable_compare])
def test_a_verdict(
    here: FdDirectory,
    changed: dict[str, object],
    expected: int,
    way: Callable[[Directory, list[RawCheck]], bytes],
) -> None:
    (found,) = way(here, [check(**changed)])
    assert found == expected or (way is portable_compare and {found, expected} == {SAME, TO_UPDATE})


def test_verdicts_on_many(here: FdDirectory) -> None:
    checks = [check(**changed) for changed, _ in CASES] * 40
    assert list(compare(here, checks)) == [expected for _, expected in CASES] * 40


def test_links_fifos_and_folders_are_no_files(here: FdDirectory, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    checks = [check(name=name) for name in (b"link", b"folder", b"fifo")]
    assert list(compare(here, checks)) == list(portable_compare(here, checks)) == [DIFFERENT] * 3


def test_attributes_that_people_set_are_seen(here: FdDirectory, tmp_path: Path) -> None:
    set_xattr(tmp_path / "file", "user.extra", b"x")
    assert list(compare(here, [check()])) == [TO_UPDATE]


@pytest.fixture(params=MODES)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    use_mode(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    make_mixed_tree(root)
    return root


def bring_back(
    repository: Repository, snapshot: Snapshot, target: Path, **options: object
) -> RestoreReport:
    report = restore(
        reopen(repository),
        snapshot,
        os.fsencode(target),
        options=RestoreOptions(**options),  # type: ignore[arg-type]
    )
    assert report.issues == []
    return report


def test_over_a_target_that_is_right_or_wrong(
    repository: Repository,
    source: Path,
    tmp_path: Path,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparison, "JOB_BYTES", 3 << 20)  # so that large files go in parts
    backup(repository, [os.fsencode(source)])
    (snapshot,) = repository.load_snapshots().sound
    inside = Path(f"{tmp_path}/target{source}")
    bring_back(repository, snapshot, tmp_path / "target")
    files = [path for path in inside.iterdir() if path.is_file() and not path.is_symlink()]
    alone = [path for path in files if path.stat().st_nlink == 1]
    numbers = {path: path.stat().st_ino for path in alone}

    report = bring_back(repository, snapshot, tmp_path / "target")
    assert report.bytes == len("shared")  # files of several names are made anew
    assert numbers == {path: path.stat().st_ino for path in alone}
    assert fingerprint(inside) == fingerprint(source)

    with open(inside / "large.bin", "r+b") as file:
        file.seek(6_500_000)
        file.write(b"\0another")
    (inside / "empty").write_text("no more")
    (inside / "sticky").chmod(0o700)
    (inside / "no-mode").chmod(0o666)
    set_xattr(inside / "small.txt", "user.extra", b"x")
    os.utime(inside / "repeated.bin", ns=(0, 0))
    os.link(inside / "setuid", tmp_path / "elsewhere")
    report = bring_back(repository, snapshot, tmp_path / "target", verify=True)
    changed = {path.name for path in alone if path.stat().st_ino != numbers[path]}
    assert changed == {"large.bin", "empty", "setuid"}
    assert fingerprint(inside) == fingerprint(source)


def test_files_of_a_folder_that_come_before_and_after_another(
    repository: Repository, tmp_path: Path, way: str
) -> None:
    """With patterns they are asked about one by one, deeper ones between them."""
    source = tmp_path / "source"
    (source / "m" / "n").mkdir(parents=True)
    for name in ("a", "m/b", "m/n/c", "m/z", "z"):
        (source / name).write_text(name)
    backup(repository, [os.fsencode(source)])
    (snapshot,) = repository.load_snapshots().sound
    target = tmp_path / "target"
    bring_back(repository, snapshot, target)
    for changed in ("a", "m/n/c", "m/z"):
        (Path(f"{target}{source}") / changed).write_text("x" * len(changed))
    selection = PatternSelection(exclude=["none"])
    report = restore(reopen(repository), snapshot, os.fsencode(target), selection=selection)
    assert (report.issues, report.files, report.skipped) == ([], 3, 2)
    assert fingerprint(Path(f"{target}{source}")) == fingerprint(source)


@needs("file_match")
def test_files_are_held_on_to_while_others_have_their_turn(tmp_path: Path) -> None:
    class Clearing:
        def __bool__(self) -> bool:
            files.clear()
            return False

    rest = (1, 1, 0o600, os.getuid(), os.getgid(), 0)
    files: list[object] = [(b"none", 0, b"", b"", *rest, Clearing(), None)]
    files += [(b"n" * 50, 0, bytes(3200), bytes(800), *rest, False, None) for _ in range(200)]
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert load("file_match").compare(fd, files) == bytes(201)
    finally:
        os.close(fd)
    assert files == []
