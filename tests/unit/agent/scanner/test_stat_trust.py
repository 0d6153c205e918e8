"""What had just changed when it was read is read again; what is old is believed."""

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from nightsafe.archiver import backup, folder_tracker
from nightsafe.file_saver import large_files, worker
from nightsafe.maintenance.check import check
from nightsafe.repository.repository import Repository
from nightsafe.scanner import lister, stat_trust
from nightsafe.scanner.stat_trust import StatTrust

from tests.unit.agent.archiver.test_backup import run, stored
from tests.unit.agent.archiver.test_backup_faults import forget_cache
from tests.unit.agent.conftest import reopen

SECOND = 1_000_000_000
BEGAN = 1_800_000_000 * SECOND + 5
before = StatTrust.before
"""As it is outside of tests, where files are older."""


@pytest.fixture
def source(source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Named from the current folder: folders above belong to everybody."""
    monkeypatch.chdir(source.parent)
    return Path(source.name)


def changed(ns: int) -> Any:
    return SimpleNamespace(st_ctime_ns=ns)


@pytest.mark.parametrize(
    ("ago", "holds"), [(59, False), (3600, True), (0, False), (-3600, False), (-(10**6), False)]
)
def test_how_old_is_old(ago: int, holds: bool) -> None:
    status = changed(BEGAN - ago * SECOND)
    assert before(BEGAN).holds(status) is holds
    assert before(BEGAN).holds_all([(b"a", b"/a", changed(0)), (b"b", b"/b", status)]) is holds


def test_whole_seconds_must_be_older(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stat_trust, "writeback_seconds", lambda: 0)
    began = BEGAN // SECOND * SECOND
    assert before(began).holds(changed(began - 90 * SECOND + 1))
    assert not before(began).holds(changed(began - 90 * SECOND))
    assert before(began).holds(changed(began - 130 * SECOND))


def test_a_kernel_that_writes_late_makes_it_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stat_trust, "writeback_seconds", lambda: 1200)
    assert not before(BEGAN).holds(changed(BEGAN - 600 * SECOND))


def test_nothing_is_doubted_where_nothing_was_said() -> None:
    assert StatTrust().holds(changed(BEGAN))
    assert StatTrust().holds_all([])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock of the backup's own that can be put on, and real margins."""
    clock = SimpleNamespace(ahead=0)
    monkeypatch.setattr(StatTrust, "before", before)
    now = time.time_ns
    moved = SimpleNamespace(time_ns=lambda: now() + clock.ahead * SECOND, monotonic=time.monotonic)
    monkeypatch.setattr(backup, "time", moved)
    return clock


@pytest.mark.parametrize("knows", ["cache", "no cache"])
@pytest.mark.parametrize("size", [100, 3 << 20])
def test_young_files_are_read_once_more_and_then_believed(
    repository: Repository,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    clock: Any,
    knows: str,
    size: int,
) -> None:
    monkeypatch.chdir(source.parent)  # folders above may change
    (source / "more").write_bytes(bytes(size))
    source = Path(source.name)
    first = run(repository, source)
    read: list[bytes] = []
    real, add = worker.Worker.read_file, large_files.LargeFiles.add

    def note(self: worker.Worker, found: Any, name: bytes, *rest: Any) -> Any:
        read.append(name)
        return real(self, found, name, *rest)

    def note_large(self: large_files.LargeFiles, file: large_files.LargeFile) -> None:
        read.append(file.name)
        add(self, file)

    monkeypatch.setattr(worker.Worker, "read_file", note)
    monkeypatch.setattr(large_files.LargeFiles, "add", note_large)
    for minutes, expected in (10, {b"one.txt", b"two.txt", b"empty", b"more"}), (20, set()):
        if knows == "no cache":
            forget_cache()
        clock.ahead = minutes * 60
        report = run(reopen(repository), source)
        assert set(read) == expected
        assert (report.tree_id, report.count.unchanged) == (first.tree_id, 4), "it only looked"
        assert report.count.stored_bytes == 0 or knows == "no cache"
        read.clear()


def test_an_unchanged_old_folder_is_not_listed_again(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    clock.ahead = 600
    run(repository, source)

    def refuse(*_: object) -> None:
        raise AssertionError("listed")

    monkeypatch.setattr(worker.Worker, "folder", refuse)
    assert run(reopen(repository), source).count.unchanged == 3


def test_what_is_young_when_its_folder_is_in_slices(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    for module in (worker, folder_tracker, lister):
        monkeypatch.setattr(module, "SLICE_ENTRIES", 2)
    listed: set[bytes] = set()
    real = worker.Worker.entries

    def note(self: worker.Worker, entries: Any, previous: bytes) -> Any:
        listed.update(name for name, _ in entries)
        return real(self, entries, previous)

    monkeypatch.setattr(worker.Worker, "entries", note)
    for minutes in (0, 10, 20):
        clock.ahead = 60 * minutes
        listed.clear()
        run(reopen(repository), source)
        assert (b"one.txt" in listed) is (minutes < 20)


def make_outdated(repository: Repository) -> None:
    """Let every cache be one of the version before."""
    caches = list(Path(os.environ["NIGHTSAFE_CACHE_DIR"]).rglob("*.trees"))
    assert caches
    for cache in caches:
        head, records = cache.read_bytes().split(b"\n", 1)
        fields = orjson.loads(head) | {"version": 1}
        cache.write_bytes(orjson.dumps(fields) + b"\n" + records)


def test_what_an_older_version_left_is_not_believed(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not its cache, not its snapshot; once, and nothing is sent again."""
    first = run(repository, source)
    make_outdated(repository)
    report = run(reopen(repository), source)
    assert (report.count.new, report.count.unchanged, report.parent_id) == (3, 0, "")
    assert (report.tree_id, report.count.added_bytes) == (first.tree_id, 0)
    assert ["read anew this once" in issue.text for issue in report.issues] == [True]
    assert report.is_complete
    again = run(reopen(repository), source)
    assert (again.count.unchanged, again.issues) == (3, [])
    assert again.parent_id == report.snapshot_id
    assert check(reopen(repository)).errors == []


def test_forced_everything_is_read(repository: Repository, source: Path) -> None:
    """Even what changed without a sign: nothing but the file itself is asked."""
    first = run(repository, source)
    forced = run(reopen(repository), source, force=True)
    assert (forced.count.new, forced.parent_id) == (3, "")
    assert (forced.tree_id, forced.count.added_bytes) == (first.tree_id, 0)
    assert run(reopen(repository), source).count.unchanged == 3


def test_a_cache_that_cannot_be_read_is_not_an_older_one(
    repository: Repository, source: Path
) -> None:
    run(repository, source)
    for cache in list(Path(os.environ["NIGHTSAFE_CACHE_DIR"]).rglob("*.trees")):
        for rubbish in (b"", b"\n", b"[]\n", b'{"version":"x"}\n', b"\xff\xfe"):
            cache.write_bytes(rubbish)
            report = run(reopen(repository), source)
            assert (report.count.unchanged, report.issues) == (3, [])
    assert os.fsencode("/" / source / "one.txt") in stored(repository)
