"""Folders seen before the backup begins: what is seen counts, and nothing that is not wanted is."""

import os
import shutil
import threading
from pathlib import Path

import pytest
from nightsafe.archiver.backup import BackupOptions, BackupReport, backup
from nightsafe.cli import main
from nightsafe.filters.exclude import Excluder, ExcludeRules
from nightsafe.fs.lstat import FolderListing, list_folders
from nightsafe.repository.repository import Repository
from nightsafe.scanner import lister
from nightsafe.scanner import prefetch as ahead_module
from nightsafe.scanner.lister import SLICE_ENTRIES
from nightsafe.scanner.prefetch import Prefetch
from nightsafe.scanner.sources import leaves, plan_sources

from tests.unit.agent.conftest import PASSPHRASE, reopen


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eleven folders, a few files in each, named from the current folder.

    Folders above belong to everybody, and would be in the snapshots.
    """
    root = tmp_path / "tree"
    for place in ("", *(f"{n}/below" for n in range(5))):
        for folder in (root / place, (root / place).parent):
            folder.mkdir(parents=True, exist_ok=True)
            if folder != tmp_path:
                (folder / "a.txt").write_text(place)
                (folder / "b.o").write_text(place)
    monkeypatch.chdir(tmp_path)
    return Path("tree")


def fetched(root: Path, entry_filter: Excluder | None = None) -> Prefetch:
    prefetched = Prefetch()
    prefetched.fetch([os.fsencode(root)], entry_filter, threading.Event())
    return prefetched


def folders(root: Path) -> list[bytes]:
    return [os.fsencode(path) for path, _, _ in os.walk(root)]


def backed_up(
    repository: Repository, root: Path, prefetched: Prefetch | None = None
) -> BackupReport:
    return backup(reopen(repository), [os.fsencode(root)], BackupOptions(ahead=prefetched))


def test_all_is_seen_and_given_once(tree: Path) -> None:
    prefetched, paths = fetched(tree), folders(tree)
    assert len(paths) == 11
    assert [prefetched.take(path) for path in paths] == list_folders(paths, SLICE_ENTRIES)
    assert [prefetched.take(path) for path in paths] == [None] * 11


def test_nothing_is_seen_where_something_may_be_left_out(tree: Path) -> None:
    (tree / "2" / "cache").mkdir()
    (tree / "2" / "cache" / "inner").mkdir()
    prefetched = fetched(tree, Excluder(ExcludeRules(patterns=("cache",))))
    unseen = [path for path in folders(tree) if prefetched.take(path) is None]
    below = [tree / "2", *(tree / "2" / name for name in ("below", "cache", "cache/inner"))]
    assert sorted(unseen) == sorted(map(os.fsencode, below))


def test_rules_that_names_do_not_tell_are_left_for_later(tree: Path) -> None:
    for rules in (ExcludeRules(larger_than=5), ExcludeRules(one_file_system=True)):
        prefetched = fetched(tree, Excluder(rules, [os.fsencode(tree)]))
        assert not [path for path in folders(tree) if prefetched.take(path)]


def test_it_ends_when_it_is_over_and_when_it_is_enough(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, none = threading.Event(), Prefetch()
    stop.set()
    none.fetch([os.fsencode(tree)], None, stop)
    assert not [path for path in folders(tree) if none.take(path)]
    monkeypatch.setattr(ahead_module, "MAX_ENTRIES", 8)
    monkeypatch.setattr(ahead_module, "FOLDERS_AT_A_TIME", 1)
    some = fetched(tree)
    assert len([path for path in folders(tree) if some.take(path)]) == 2


def test_what_cannot_be_looked_at_is_left_for_later(tree: Path) -> None:
    prefetched = Prefetch()
    gone = os.fsencode(tree / "gone")
    prefetched.fetch(
        [gone, os.fsencode(tree / "a.txt"), os.fsencode(tree / "3")], None, threading.Event()
    )
    assert prefetched.take(gone) is None
    assert prefetched.take(os.fsencode(tree / "3"))


def test_a_backup_looks_at_nothing_twice(
    repository: Repository, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = backed_up(repository, tree)
    asked: list[bytes] = []

    def note(paths: list[bytes], most: int) -> list[FolderListing]:
        asked.extend(paths)
        return list_folders(paths, most)

    monkeypatch.setattr(lister, "list_folders", note)
    prefetched = fetched(tree)
    prefetched.take(os.fsencode(tree / "1"))
    second = backed_up(repository, tree, prefetched)
    assert asked == [os.fsencode(tree / "1")]
    assert (second.tree_id, second.count.unchanged) == (first.tree_id, 22)


def test_a_change_that_was_seen_ahead_is_stored(repository: Repository, tree: Path) -> None:
    first = backed_up(repository, tree)
    (tree / "1" / "below" / "a.txt").write_text("other words")
    second = backed_up(repository, tree, fetched(tree))
    assert second.tree_id != first.tree_id
    assert (second.count.changed, second.count.unchanged) == (1, 21)


def test_a_change_since_then_is_the_next_backups(repository: Repository, tree: Path) -> None:
    """The snapshot says when it looked, and the change came later."""
    first = backed_up(repository, tree)
    prefetched = fetched(tree)
    (tree / "1" / "below" / "a.txt").write_text("other words")
    changed = (tree / "1" / "below" / "a.txt").stat().st_mtime_ns
    second = backed_up(repository, tree, prefetched)
    third = backed_up(repository, tree)
    assert (second.tree_id, second.count.unchanged) == (first.tree_id, 22)
    assert third.count.changed == 1
    times = {one.id: one.time for one in repository.load_snapshots().sound}
    assert times[second.snapshot_id] < changed < times[third.snapshot_id]


def test_a_folder_that_went_since_then_is_missed(repository: Repository, tree: Path) -> None:
    """It had changed, so it is looked at again, and that it is gone is said."""
    backed_up(repository, tree)
    below = tree / "1" / "below"
    (below / "a.txt").write_text("other words")
    prefetched = fetched(tree)
    shutil.rmtree(below)
    report = backed_up(repository, tree, prefetched)
    assert [(issue.kind, issue.path) for issue in report.issues] == [
        ("vanished", os.fsencode(below))
    ]
    assert report.count.unchanged == 20


def test_what_goes_wrong_ahead_of_time_disturbs_nothing(
    repository: Repository,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("ahead")

    monkeypatch.setattr(Prefetch, "fetch", fail)
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    assert main(["backup", str(tree)]) == 0
    told = capsys.readouterr()
    assert "22 new" in told.out
    assert told.err == ""


def test_leaves_are_what_is_archived_whole(tree: Path) -> None:
    inner, outer = os.fsencode(tree / "1" / "below"), os.fsencode(tree / "2")
    assert sorted(leaves(plan_sources([inner, outer]))) == [inner, outer]
    whole = leaves(plan_sources([os.fsencode(tree), inner]))
    assert inner in whole
    assert os.fsencode(tree) not in whole  # it has a plan of its own
