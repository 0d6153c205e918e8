"""The same sources, written in another way than last time: files are compared all the same."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from nightsafe.archiver import parent_lookup
from nightsafe.archiver.backup import BackupReport, backup
from nightsafe.archiver.parent_lookup import ELSEWHERE
from nightsafe.fs.files import lstat
from nightsafe.fs.status import Status
from nightsafe.repository.repository import Repository

from tests.unit.agent.conftest import reopen

FILES = ("one", "deep/two", "deep/er/three")


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `b/top`, from whose neighbour and from which paths are written."""
    made = tmp_path / "a" / "b" / "top"
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    (made.parent / "beside").mkdir()
    return made


@pytest.fixture(params=["cache", "tree"])
def keeps_cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[bool]:
    """Whether there is a cache, or only the snapshot."""
    return request.param == "cache"


def ways(top: Path) -> list[tuple[str, str]]:
    """Ways to write the folder: where one is, and what one gives. Without dots, and slashes at the
    ends, what one gives is its place in the snapshot."""
    return [
        ("/", str(top)),
        (str(top.parent), "top"),
        (str(top.parent.parent), "b/top"),
        (str(top.parent / "beside"), "../top"),
        (str(top), "."),
        (str(top / "deep"), ".."),
    ]


class Backups:
    def __init__(
        self, repository: Repository, patch: pytest.MonkeyPatch, place: Path, *, cached: bool
    ) -> None:
        self.repository, self.patch, self.place, self.cached = repository, patch, place, cached
        self.count = 0

    def run(self, here: str, *sources: str) -> tuple[BackupReport, bool]:
        """Back up; also whether it was said that paths were written otherwise."""
        self.count += 1
        number = 0 if self.cached else self.count
        self.patch.setenv("NIGHTSAFE_CACHE_DIR", str(self.place / f"caches-{number}"))
        self.patch.chdir(here)
        report = backup(reopen(self.repository), [os.fsencode(source) for source in sources])
        told = [issue.text for issue in report.issues]
        assert set(told) <= {ELSEWHERE}
        return report, bool(told)


@pytest.fixture
def backups(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keeps_cache: bool
) -> Backups:
    return Backups(repository, monkeypatch, tmp_path, cached=keeps_cache)


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("second", range(6))
def test_files_are_matched(backups: Backups, top: Path, first: int, second: int) -> None:
    report, told = backups.run(*ways(top)[first])
    assert (report.count.new, told) == (3, False)
    report, told = backups.run(*ways(top)[second])
    assert (report.count.new, report.count.changed, report.count.unchanged) == (0, 0, 3)
    assert told == (ways(top)[first][1].strip("./") != ways(top)[second][1].strip("./"))
    (top / "deep" / "two").write_text("changed")
    (top / "deep" / "new").write_text("new")
    report, told = backups.run(*ways(top)[first])
    assert (report.count.new, report.count.changed, report.count.unchanged) == (1, 1, 2)
    report, _ = backups.run(*ways(top)[first])
    assert (report.count.new, report.count.changed, report.count.unchanged) == (0, 0, 4)


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("second", range(4))
def test_lone_files_are_matched(backups: Backups, top: Path, first: int, second: int) -> None:
    def given(way: int) -> tuple[str, str, str]:
        here, path = ways(top)[way]
        return here, os.path.join(path, "one"), os.path.join(path, "deep/two")

    backups.run(*given(first))
    report, _ = backups.run(*given(second))
    assert (report.count.new, report.count.changed, report.count.unchanged) == (0, 0, 2)
    (top / "one").write_text("changed")
    report, _ = backups.run(*given(first))
    assert (report.count.new, report.count.changed, report.count.unchanged) == (0, 1, 1)


def test_a_new_folder_is_new(backups: Backups, top: Path) -> None:
    """Though what is in it is called as what was elsewhere."""
    backups.run(str(top), ".")
    (top / "fresh").mkdir()
    (top / "fresh" / "one").write_text("another")
    report, told = backups.run(str(top), ".")
    assert (report.count.new, report.count.unchanged, told) == (1, 3, False)


def test_a_source_that_vanishes_while_it_is_looked_for(
    repository: Repository, top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One source cannot be looked at any more; the others are backed up."""
    backups = Backups(repository, monkeypatch, tmp_path, cached=False)
    backups.run(str(top.parent), "top/one", "top/deep")
    real = lstat

    def vanish(path: bytes) -> Status:
        if path.endswith(b"/one") and os.path.exists(path):
            os.unlink(path)
        return real(path)

    monkeypatch.setattr(parent_lookup, "lstat", vanish)
    monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(tmp_path / "another"))
    paths = [os.fsencode(top / name) for name in ("one", "deep")]
    report = backup(reopen(repository), paths)
    assert (report.count.unchanged, report.count.new) == (2, 0)
    assert [issue.kind for issue in report.issues if issue.path] == ["vanished"]
