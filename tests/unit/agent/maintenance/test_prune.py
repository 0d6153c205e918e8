"""Forgetting and pruning: what is needed stays, whatever happens in between; the rest goes."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightsafe.amounts import parse_size
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import Listing, ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.errors import AccessRefusedError, LockedError, RefusedError, StorageError, UsageError
from nightsafe.maintenance.check import check
from nightsafe.maintenance.forget import remove_snapshots
from nightsafe.maintenance.prune import PruneOptions, prune
from nightsafe.maintenance.prune_plan import parse_limit, plan_prune
from nightsafe.repofile.pack import BlobEntry, BlobKind, PackContent
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.locks import hold_lock, remove_locks
from nightsafe.repository.repository import Repository
from nightsafe.restorer.restore import restore

from tests.support.agent.trees import fingerprint
from tests.unit.agent.conftest import copy_vault, freeze, reopen

EVERYTHING = PruneOptions(limit=parse_limit("0"))
KEPT = (ObjectKind.DATA, ObjectKind.INDEX, ObjectKind.SNAPSHOT)


def back_up(repository: Repository, path: Path) -> Snapshot:
    backup(reopen(repository), [os.fsencode(path)])
    return repository.load_snapshots().sound[-1]


def names(repository: Repository) -> set[str]:
    return {listing.name for kind in KEPT for listing in repository.storage.list(kind)}


def versions(repository: Repository, source: Path, count: int = 3) -> list[dict[bytes, Any]]:
    """So many backups of a folder that changes; returns what each must bring back."""
    seen = []
    for number in range(count):
        (source / "same").write_bytes(b"same" * 1000)
        (source / "changing").write_bytes(os.urandom(300_000))
        (source / f"only-{number}").write_bytes(os.urandom(5000))
        if number:
            (source / f"only-{number - 1}").unlink()
        back_up(repository, source)
        seen.append(fingerprint(source))
    return seen


def assert_restores(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path, seen: object
) -> None:
    assert restore(reopen(repository), snapshot, os.fsencode(target)).issues == []
    assert fingerprint(Path(f"{target}{source}")) == seen


def test_only_what_is_needed_stays(repository: Repository, source: Path, tmp_path: Path) -> None:
    seen = versions(repository, source)
    *old, newest = repository.load_snapshots().sound
    assert remove_snapshots(repository, old) == 2
    report = prune(reopen(repository), EVERYTHING)
    assert report.removed + report.repacked > 0
    assert report.left_unused == 0
    result = check(reopen(repository), read_data=True)
    assert (result.errors, result.unindexed) == ([], 0)
    assert_restores(repository, newest, source, tmp_path / "t", seen[-1])


def test_pruning_twice_changes_nothing(repository: Repository, source: Path) -> None:
    versions(repository, source)
    remove_snapshots(repository, repository.load_snapshots().sound[:2])
    prune(reopen(repository), EVERYTHING)
    before = names(repository)
    report = prune(reopen(repository), EVERYTHING)
    assert names(repository) == before
    assert (report.repacked, report.removed, report.written_bytes) == (0, 0, 0)


def test_a_dry_run_changes_nothing(repository: Repository, source: Path) -> None:
    versions(repository, source)
    remove_snapshots(repository, repository.load_snapshots().sound[:2])
    before = names(repository)
    report = prune(reopen(repository), PruneOptions(limit=parse_limit("0"), dry_run=True))
    assert report.freed_bytes > 600_000
    assert names(repository) == before


def test_without_any_snapshot_nothing_stays(repository: Repository, source: Path) -> None:
    back_up(repository, source)
    remove_snapshots(repository, repository.load_snapshots().sound)
    before = names(repository)
    with pytest.raises(RefusedError, match="--allow-empty"):
        prune(reopen(repository), EVERYTHING)
    assert names(repository) == before
    prune(reopen(repository), replace(EVERYTHING, allow_empty=True))
    assert names(repository) == set()


def test_unlimited_waste_removes_whole_packs_only(repository: Repository, source: Path) -> None:
    versions(repository, source)
    remove_snapshots(repository, repository.load_snapshots().sound[:2])
    report = prune(reopen(repository), PruneOptions(limit=parse_limit("unlimited")))
    assert report.repacked == 0
    assert check(reopen(repository), read_data=True).errors == []


class Failing(LocalBackend):
    """Storage that breaks down after so many calls, as when the process is killed there."""

    def __init__(self, root: str, calls: int) -> None:
        super().__init__(root)
        self.calls = calls

    def _count(self) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise StorageError("broken down")

    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        self._count()
        return super().list(kind)

    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        self._count()
        return super().load(kind, name, offset=offset, length=length)

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        self._count()
        super().save(kind, name, data)

    def remove(self, kind: ObjectKind, name: str) -> None:
        self._count()
        super().remove(kind, name)


def test_broken_off_at_every_step_nothing_is_lost(
    vault: Repository, source: Path, tmp_path: Path
) -> None:
    whole = copy_vault(vault, LocalBackend(str(tmp_path / "whole")))
    seen = versions(whole, source)
    remove_snapshots(whole, whole.load_snapshots().sound[:1])
    calls, is_done = 0, False
    while not is_done:
        freeze()
        place = str(tmp_path / f"r{calls}")
        shutil.copytree(tmp_path / "whole", place)
        repository = reopen(whole, LocalBackend(place))
        with contextlib.suppress(StorageError):
            prune(reopen(repository, Failing(place, calls)), EVERYTHING)
            is_done = True
        remove_locks(repository, everything=True)
        assert check(reopen(repository), read_data=True).errors == []
        prune(reopen(repository), EVERYTHING)
        freeze()
        result = check(reopen(repository), read_data=True)
        assert (result.errors, result.unindexed) == ([], 0)
        calls += 1
    assert calls > 12
    for snapshot, expected in zip(repository.load_snapshots().sound, seen[1:], strict=True):
        assert_restores(repository, snapshot, source, tmp_path / snapshot.id, expected)


CONTENTS = st.lists(st.integers(0, 12), max_size=6)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(CONTENTS, min_size=1, max_size=4),
    st.integers(0, 15),
    st.sampled_from(("0", "5%", "40%", "unlimited")),
)
def test_whatever_is_forgotten_the_rest_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    vault: Repository,
    history: list[list[int]],
    forgotten: int,
    limit: str,
) -> None:
    base = tmp_path_factory.mktemp("any")
    repository = copy_vault(vault, LocalBackend(str(base / "r")))
    source, seen = base / "source", {}
    source.mkdir()
    for contents in history:
        for name in os.listdir(source):
            (source / name).unlink()
        for number, content in enumerate(contents):
            (source / f"f{number}").write_bytes(bytes([content]) * 997 * content)
        (source / "always").write_bytes(b"x")
        seen[back_up(repository, source).id] = fingerprint(source)
    sound = repository.load_snapshots().sound
    freeze()
    remove_snapshots(repository, [s for n, s in enumerate(sound) if forgotten >> n & 1])
    prune(reopen(repository), PruneOptions(limit=parse_limit(limit), allow_empty=True))
    assert check(reopen(repository), read_data=True).errors == []
    for snapshot in repository.load_snapshots().sound:
        assert_restores(repository, snapshot, source, base / snapshot.id, seen[snapshot.id])


def spoil(repository: Repository, kind: ObjectKind, *, remove: bool) -> None:
    """Damage or remove the largest object of a kind."""
    name = max(repository.storage.list(kind), key=lambda listing: listing.size).name
    middle = name[:2] if kind is ObjectKind.DATA else ""
    path = Path(repository.storage.location, kind.value, middle, name)
    if remove:
        path.unlink()
    else:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("kind", "remove"),
    [(kind, False) for kind in KEPT] + [(ObjectKind.DATA, True), (ObjectKind.INDEX, True)],
)
def test_an_unsound_repository_is_left_alone(
    repository: Repository, source: Path, kind: ObjectKind, remove: bool
) -> None:
    versions(repository, source)
    spoil(repository, kind, remove=remove)
    before = names(repository)
    with pytest.raises(RefusedError, match=r"nightsafe check|restic repair index"):
        prune(reopen(repository), EVERYTHING)
    assert names(repository) == before
    assert list(repository.storage.list(ObjectKind.LOCK)) == []


def test_while_somebody_works_nothing_is_pruned(repository: Repository, source: Path) -> None:
    snapshot = back_up(repository, source)
    with hold_lock(repository):
        for action in (lambda: prune(reopen(repository)), lambda: remove(repository, snapshot)):
            with pytest.raises(LockedError):
                action()
    assert len(repository.load_snapshots().sound) == 1


def remove(repository: Repository, snapshot: Snapshot) -> None:
    remove_snapshots(repository, [snapshot])


class WriteOnce(LocalBackend):
    """As a server that lets nobody remove but locks."""

    def remove(self, kind: ObjectKind, name: str) -> None:
        if kind is not ObjectKind.LOCK:
            raise AccessRefusedError("Not allowed.")
        super().remove(kind, name)


def test_without_permission_nothing_is_begun(repository: Repository, source: Path) -> None:
    versions(repository, source, 2)
    snapshots = repository.load_snapshots().sound
    place = WriteOnce(repository.storage.location)
    with pytest.raises(AccessRefusedError, match="scope maintain"):
        remove_snapshots(reopen(repository, place), snapshots[:1])
    remove_snapshots(repository, snapshots[:1])
    before = names(repository)
    with pytest.raises(AccessRefusedError, match="scope maintain"):
        prune(reopen(repository, place), EVERYTHING)
    assert names(repository) == before


def pack_of(number: int, *lengths: int) -> PackContent:
    """A pack whose blobs have the ids 100·number, 100·number + 1 and so on."""
    blobs, offset = [], 0
    for position, length in enumerate(lengths):
        blobs.append(BlobEntry(BlobKind.DATA, blob(100 * number + position), offset, length))
        offset += length
    return PackContent(blob(number), tuple(blobs))


def blob(number: int) -> bytes:
    return number.to_bytes(32, "big")


def used(*numbers: int) -> set[tuple[BlobKind, bytes]]:
    return {(BlobKind.DATA, blob(number)) for number in numbers}


PACKS = {content.id: content for content in (pack_of(1, 50, 50), pack_of(2, 90, 10))}
STORED = {pack: content.size for pack, content in PACKS.items()}


def test_the_most_wasteful_packs_come_first() -> None:
    plan = plan_prune(PACKS, STORED, used(100, 200), limit=parse_limit("10"))
    assert list(plan.repack) == [blob(1)]
    assert plan.keep == [blob(2)]
    assert (plan.used_bytes, plan.unused_bytes, plan.freed_bytes) == (140, 60, 50)


def test_no_more_is_written_anew_than_allowed() -> None:
    plan = plan_prune(PACKS, STORED, used(100, 200), limit=parse_limit("0"), max_repack=60)
    assert list(plan.repack) == [blob(1)]
    assert plan.left_unused == 10


def test_of_two_copies_one_is_enough() -> None:
    twice = pack_of(1, 50, 50)
    copy = PackContent(blob(9), twice.blobs)
    packs = {twice.id: twice, copy.id: copy}
    stored = dict.fromkeys(packs, twice.size)
    plan = plan_prune(packs, stored, used(100, 101), limit=parse_limit("0"))
    assert (len(plan.keep), len(plan.remove), plan.repack) == (1, 1, {})


def test_what_is_stored_but_not_listed_goes_and_the_reverse_is_dropped() -> None:
    plan = plan_prune(PACKS, {blob(1): 1, blob(7): 1}, used(100, 101), limit=parse_limit("0"))
    assert (plan.unindexed, plan.gone, plan.keep) == ([blob(7)], [blob(2)], [blob(1)])


@pytest.mark.parametrize(
    ("text", "used_bytes", "allowed"),
    [("0", 5, 0), ("10k", 5, 10_240), ("1G", 5, 1 << 30), ("50%", 70, 70), ("0%", 7, 0)],
)
def test_limits(text: str, used_bytes: int, allowed: float) -> None:
    assert parse_limit(text)(used_bytes) == allowed


@pytest.mark.parametrize("text", ["", "100%", "-1", "x%", "5 apples", "-3%", "nan%"])
def test_nonsense_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError):
        parse_limit(text)


def test_sizes_have_units() -> None:
    assert [parse_size(t) for t in ("7", "2K", "3MiB")] == [7, 2048, 3 << 20]
