"""Folders that come and go: nothing beside them is missed, and every tree can be read."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nightsafe.archiver import folder_tracker
from nightsafe.archiver.backup import BackupReport
from nightsafe.file_saver import worker
from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.fs.status import Status
from nightsafe.maintenance.check import check
from nightsafe.repository.repository import Repository

from tests.unit.agent.archiver.test_backup import run, stored
from tests.unit.agent.archiver.test_backup_faults import forget_cache
from tests.unit.agent.conftest import reopen

NEIGHBOURS = ("small files", "a link", "a large file", "a folder", "a fifo", "nothing")
LARGE = 3 << 20


def make_neighbours(folder: Path, kind: str) -> None:
    """What stands right behind the folder `gone`, in the order of names."""
    match kind:
        case "small files":
            for number in range(40):
                (folder / f"h{number:02}").write_text(f"kept {number}")
        case "a link":
            (folder / "h").symlink_to("where")
        case "a large file":
            (folder / "h").write_bytes(os.urandom(LARGE))
        case "a folder":
            (folder / "h" / "below").mkdir(parents=True)
            (folder / "h" / "below" / "kept").write_text("kept")
        case "a fifo":
            os.mkfifo(folder / "h")


class Choosing(EntryFilter):
    """Stores what a function says."""

    def __init__(self, wants: Callable[[bytes, bytes, Status], bool]) -> None:
        self._wants = wants

    def __call__(self, path: bytes, name: bytes, status: Status) -> bool:
        return self._wants(path, name, status)


class Vanishing(EntryFilter):
    """Wants everything; removes the folders `gone` when they are looked at for the last of
    `looks` times, as somebody else may."""

    def __init__(self, looks: int) -> None:
        self.gone: list[bytes] = []
        self._looks = looks
        self._seen: Counter[bytes] = Counter()

    def __call__(self, path: bytes, name: bytes, status: Status) -> bool:
        if name == b"gone":
            self._seen[path] += 1
            if self._seen[path] == self._looks:
                shutil.rmtree(path)
                self.gone.append(path)
        return True


@pytest.fixture(params=["whole", "slices"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders in one job, or in jobs of two entries each."""
    if request.param == "slices":
        for module in (worker, folder_tracker):
            monkeypatch.setattr(module, "SLICE_ENTRIES", 2)


def kept(root: Path) -> set[bytes]:
    """Every path that is below a folder, and itself."""
    top = os.fsencode(root)
    found = {os.path.join(where, name) for where, a, b in os.walk(top) for name in (*a, *b)}
    return found | {top}


def require_all(repository: Repository, root: Path) -> None:
    """What is there now is in the newest snapshot, and the whole repository is sound."""
    missing = kept(root) - set(stored(repository))
    assert not missing
    assert check(reopen(repository)).errors == []


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_a_folder_that_vanishes_takes_nothing_along(
    repository: Repository, tmp_path: Path, sizes: None, kind: str
) -> None:
    """Between lstat and the look at its attributes: in a first backup, in one that knows the
    former snapshot only, and in one with a cache, which looks at a folder twice."""
    root = tmp_path / "root"
    for place in (root, root / "inner"):
        place.mkdir()
        make_neighbours(place, kind)
        (place / "first").write_text("kept")
    for turn, looks in ("first", 1), ("no cache", 1), ("cache", 2), ("cache", 2):
        for place in (root, root / "inner"):
            (place / "gone").mkdir()
            (place / turn).touch()
        if turn == "no cache":
            forget_cache()
        vanishing = Vanishing(looks)
        report = run(repository, root, wants=vanishing)
        assert len(vanishing.gone) == 2
        assert sorted(issue.path for issue in report.issues) == sorted(vanishing.gone)
        assert {issue.kind for issue in report.issues} == {"vanished"}, turn
        require_all(repository, root)


def test_several_folders_that_vanish_at_once(
    repository: Repository, tmp_path: Path, sizes: None
) -> None:
    """Some before they are looked at closely, some before they are listed, some not at all."""
    root = tmp_path / "root"
    for number in range(12):
        (root / f"d{number:02}").mkdir(parents=True)
        (root / f"d{number:02}" / "kept").write_text(str(number))
        (root / f"f{number:02}").write_text(str(number))
    doomed = {os.fsencode(root / f"d{number:02}"): number for number in range(12) if number % 3}

    def wants(path: bytes, name: bytes, status: Status) -> bool:
        if path in doomed and doomed[path] % 3 == 1:
            shutil.rmtree(path)
        if name == b"f11":
            for late, number in doomed.items():
                if number % 3 == 2:
                    shutil.rmtree(late)
        return True

    report = run(repository, root, wants=Choosing(wants))
    assert sorted(issue.path for issue in report.issues) == sorted(doomed)
    require_all(repository, root)


@pytest.fixture
def too_deep(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A folder whose own path can just be used, and what is in it no more: its open descriptor."""
    root = tmp_path / "root"
    root.mkdir()
    fd, length = os.open(root, os.O_RDONLY), len(os.fsencode(root))
    while length < 4080:
        name = "d" * min(200, 4085 - length - 1)
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd, length = inner, length + 1 + len(name)
    yield root, fd
    os.close(fd)
    shutil.rmtree(root)


def test_paths_that_are_too_long_are_named_and_take_nothing_along(
    repository: Repository, too_deep: tuple[Path, int]
) -> None:
    """Each of a kind that needs more than one look: by its own path nobody can give it."""
    root, fd = too_deep
    (root / "beside").write_text("kept")
    for name in ("a folder of too long a name", "i", "z folder of too long a name"):
        os.mkdir(name, dir_fd=fd)
    for name in ("b", "c", "y"):
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    report = run(repository, root)
    assert not report.is_complete
    assert report.snapshot_id
    nodes = stored(repository)
    deepest = max(nodes, key=len)
    inside = {os.path.basename(p) for p in nodes if os.path.dirname(p) == os.path.dirname(deepest)}
    assert {b"b", b"c", b"i", b"y"} <= inside
    named = {os.path.basename(issue.path) for issue in report.issues if issue.is_failure}
    assert {n for n in named if b"folder" in n} | inside >= {
        b"a folder of too long a name",
        b"z folder of too long a name",
    }
    assert os.fsencode(root / "beside") in nodes
    assert check(reopen(repository), read_data=True).errors == []


def swapping(swap: Callable[[bytes], None]) -> EntryFilter:
    """Wants everything, and lets the entry `swap` become something else after the first look."""

    def wants(path: bytes, name: bytes, status: Status) -> bool:
        if name == b"swap":
            swap(path)
        return True

    return Choosing(wants)


def file_to_folder(path: bytes) -> None:
    os.unlink(path)
    os.mkdir(path)


def folder_to_file(path: bytes) -> None:
    os.rmdir(path)
    with open(path, "wb") as file:
        file.write(b"new")


@pytest.mark.parametrize("size", [3, LARGE])
def test_a_file_replaced_by_a_folder_is_missed_aloud(
    repository: Repository, tmp_path: Path, sizes: None, size: int
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a", "swap", "z"):
        (root / name).write_bytes(bytes(size))
    report = run(repository, root, wants=swapping(file_to_folder))
    require_named(report, root / "swap")
    assert {os.fsencode(root / "a"), os.fsencode(root / "z")} <= set(stored(repository))
    run(repository, root)
    require_all(repository, root)


def test_a_folder_replaced_by_a_file_is_missed_aloud(
    repository: Repository, tmp_path: Path, sizes: None
) -> None:
    root = tmp_path / "root"
    (root / "swap").mkdir(parents=True)
    for name in ("a", "z"):
        (root / name).write_text("kept")
    report = run(repository, root, wants=swapping(folder_to_file))
    require_named(report, root / "swap")
    assert {os.fsencode(root / "a"), os.fsencode(root / "z")} <= set(stored(repository))
    run(repository, root)
    require_all(repository, root)


def require_named(report: BackupReport, path: Path) -> None:
    """What is there and not in the snapshot is named, and the exit status will say so."""
    assert [(issue.kind, issue.path) for issue in report.issues] == [
        ("unreadable", os.fsencode(path))
    ]
    assert not report.is_complete
