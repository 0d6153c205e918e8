"""Times of any year: seen, stored and restored as they are, with and without the extensions."""

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.file_saver import small_files
from nightsafe.fs import lstat
from nightsafe.fs.lstat import (
    list_folders,
    portable_list_folders,
    portable_lstat_all,
    portable_record,
    record,
)
from nightsafe.maintenance.check import check
from nightsafe.repofile.go_json import format_second, format_time, parse_time
from nightsafe.repository.repository import Repository
from nightsafe.restorer.restore import restore

from tests.unit.agent.archiver.test_backup import run, stored
from tests.unit.agent.archiver.test_backup_faults import look_in_python
from tests.unit.agent.conftest import reopen

SECOND = 1_000_000_000
YEAR = 31_556_952 * SECOND
EDGES = (
    *(-(1 << 63), -(1 << 63) - 1, (1 << 63) - 1, 1 << 63, 1 << 64, -1, 0, 1),
    *((year - 1970) * YEAR for year in (1, 1901, 2038, 2262, 2300, 2446, 9990)),
)
WRITABLE = ((1 - 1970) * YEAR, (9999 - 1970) * YEAR)
"""What RFC 3339 can say, with a day to spare."""


def make_dated(folder: Path, chance: random.Random) -> dict[str, int]:
    """Files of many dates, as far as the disk can keep them; what it kept."""
    folder.mkdir()
    found = {}
    for number, ns in enumerate([*EDGES, *(chance.randint(*WRITABLE) for _ in range(40))]):
        path = folder / f"file-{number:03}"
        path.write_text(str(ns))
        os.utime(path, ns=(0, ns))
        found[str(path)] = path.stat().st_mtime_ns
    return found


@pytest.mark.parametrize("way", ["as built", "portable"])
def test_dates_are_kept(
    repository: Repository,
    tmp_path: Path,
    chance: random.Random,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    dates = make_dated(tmp_path / "source", chance)
    if way == "portable":
        look_in_python(monkeypatch)
        monkeypatch.setattr(small_files, "native", None)
    report = run(repository, tmp_path / "source")
    assert report.is_complete
    nodes = stored(repository)
    assert {path: nodes[os.fsencode(path)].mtime for path in dates} == dates
    again = run(reopen(repository), tmp_path / "source")
    assert again.count.unchanged == len(dates)
    opened = reopen(repository)
    assert check(opened).errors == []
    snapshot = opened.load_snapshots().sound[-1]
    restore(opened, snapshot, os.fsencode(tmp_path / "target"))
    restored = {path: os.stat(f"{tmp_path}/target{path}").st_mtime_ns for path in dates}
    assert restored == dates


def test_what_is_seen_is_the_same_each_way(tmp_path: Path, chance: random.Random) -> None:
    dates = make_dated(tmp_path / "source", chance)
    paths = [os.fsencode(path) for path in dates]
    times = [status.st_mtime_ns for status in lstat.lstat_all(paths) if not isinstance(status, int)]
    assert times == list(dates.values())
    texts = []
    for see, write in ((lstat.lstat_all, record), (portable_lstat_all, portable_record)):
        seen: list[Any] = [(b"x", p, s) for p, s in zip(paths, see(paths), strict=True)]
        texts.append(write(seen))
    assert texts[0] == texts[1]
    folder = [os.fsencode(tmp_path / "source")]
    assert list_folders(folder, 1000) == portable_list_folders(folder, 1000)


def test_a_change_of_a_far_date_is_seen(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "file"
    path.write_text("x")
    for year in (2300, 2301, 2400):
        os.utime(path, ns=(0, (year - 1970) * YEAR))
        report = run(reopen(repository), tmp_path / "source")
        assert report.count.unchanged == 0
    assert run(reopen(repository), tmp_path / "source").count.unchanged == 1


@given(st.integers(*WRITABLE))
def test_what_can_be_written_is_read_back(ns: int) -> None:
    assert parse_time(format_time(ns)) == ns


@given(st.integers(-(1 << 62), 1 << 62))
def test_any_second_can_be_written(second: int) -> None:
    """Beyond the years 0 to 9999 only the year is another, as stock restic has it."""
    text = format_time(second * SECOND)
    assert len(text) in (20, 25)
    parse_time(text)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Australia/Sydney", "9999-04-04T02:24:26+10:00"),
        ("America/St_Johns", "9999-11-07T01:24:26-02:30"),
    ],
)
@pytest.mark.parametrize("before", [(2026, 1, 1), (2026, 7, 1)])
def test_an_hour_that_clocks_show_twice_beyond_the_last_year(
    monkeypatch: pytest.MonkeyPatch, zone: str, shown: str, before: tuple[int, int, int]
) -> None:
    """The offset is the one that Go takes, whatever the system's library was asked before."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        time.mktime((*before, 0, 0, 0, 0, 0, -1))
        format_second.cache_clear()
        later = parse_time(shown) // SECOND + 5 * 146_097 * 86_400  # 2,000 years, as many weeks
        assert format_time(later * SECOND) == shown
    finally:
        monkeypatch.undo()
        time.tzset()
        format_second.cache_clear()
