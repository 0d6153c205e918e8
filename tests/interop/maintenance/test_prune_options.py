"""`forget` and `prune` for good: with each option both programs leave what the other would."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.repofile.pack import BlobKind
from nightsafe.repository.repository import Repository

from tests.support.interop.generated_snapshots import (
    Ours,
    ask_restic,
    fill,
    new_repository,
    restic_version,
    seed,
)

pytestmark = pytest.mark.interop


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSAFE_CONFIG_DIR", str(tmp_path / "config-dir"))
    monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(tmp_path / "cache-dir"))


def copy(repository: Repository, to: Path) -> Repository:
    shutil.copytree(repository.storage.location, to)
    return Repository(LocalBackend(str(to)), repository.master, repository.config)


def names(repository: Repository, kind: ObjectKind) -> set[str]:
    return {listing.name for listing in repository.storage.list(kind)}


def stored(repository: Repository) -> set[str]:
    """All that lasts."""
    kinds = (ObjectKind.DATA, ObjectKind.INDEX, ObjectKind.SNAPSHOT)
    return set().union(*(names(repository, kind) for kind in kinds))


def blobs(repository: Repository) -> set[bytes]:
    repository.load_index()
    return {blob for kind in BlobKind for blob in repository.index.locations(kind)}


def times(repository: Repository) -> Counter[str]:
    return Counter(snapshot.stamp for snapshot in repository.load_snapshots().sound)


@pytest.mark.parametrize(
    "rules",
    [
        ["--keep-last", "3"],
        ["--keep-daily", "5", "--keep-monthly", "100", "--group-by", "host"],
        ["--keep-within", "1y", "--keep-yearly", "2", "--group-by", ""],
        ["--keep-tag", "a", "--keep-last", "1", "--group-by", "tags"],
    ],
)
def test_what_is_forgotten_for_good_is_the_same(tmp_path: Path, rules: list[str]) -> None:
    chance = seed(f"for good {rules}")
    ours = new_repository(tmp_path / "ours")
    fill(ours, chance, 40)
    theirs = copy(ours, tmp_path / "theirs")
    ask_restic(theirs, "forget", *rules)
    assert Ours(ours).run("forget", *rules, "--yes")[0] == 0
    left = times(theirs)
    if restic_version() < (0, 17):  # which did not keep the oldest
        assert times(ours) >= left
    else:
        assert times(ours) == left


def test_ids_that_are_forgotten_are_the_same(tmp_path: Path) -> None:
    chance = seed("ids")
    ours = new_repository(tmp_path / "ours")
    fill(ours, chance, 20)
    theirs = copy(ours, tmp_path / "theirs")
    known = sorted(names(ours, ObjectKind.SNAPSHOT))
    chosen = [name[: chance.choice((8, 16, 64))] for name in chance.sample(known, 5)]
    ask_restic(theirs, "forget", *chosen)
    assert Ours(ours).run("forget", *chosen, "--yes")[0] == 0
    assert names(ours, ObjectKind.SNAPSHOT) == names(theirs, ObjectKind.SNAPSHOT)


@pytest.fixture(scope="module")
def wasteful(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Backups by both programs, some of them forgotten."""
    chance = seed("waste")
    place = tmp_path_factory.mktemp("waste")
    source = place / "source"
    (source / "inner").mkdir(parents=True)
    repository = new_repository(place / "r")
    for number in range(6):
        for name in ("stays", "changes", "inner/changes"):
            if number == 0 or name != "stays":
                size = chance.randrange(1, 400_000)
                (source / name).write_bytes(chance.randbytes(size))
        (source / f"only-{number}").write_bytes(chance.randbytes(60_000))
        (source / f"only-{number - 1}").unlink(missing_ok=True)
        if number % 2:
            backup(repository, [os.fsencode(source)])
        else:
            ask_restic(repository, "backup", str(source))
    for name in chance.sample(sorted(names(repository, ObjectKind.SNAPSHOT)), 3):
        repository.storage.remove(ObjectKind.SNAPSHOT, name)
    return repository


LIMITS = ["0", "5%", "50%", "100k", "unlimited"]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_prune_leaves_what_the_other_would(
    wasteful: Repository, tmp_path: Path, limit: str
) -> None:
    ours, theirs = (copy(wasteful, tmp_path / name) for name in ("ours", "theirs"))
    options = ["--max-unused", limit]
    before = stored(ours)
    assert Ours(ours).run("prune", *options, "--dry-run")[0] == 0
    assert stored(ours) == before
    assert Ours(ours).run("prune", *options)[0] == 0
    ask_restic(theirs, "prune", *options)
    assert "no errors were found" in ask_restic(ours, "check", "--read-data").stdout
    needed = needed_blobs(wasteful, tmp_path)
    assert blobs(ours) >= needed
    if limit == "0":
        assert blobs(ours) == blobs(theirs) == needed
    if limit == "unlimited":
        # Of a pack with a duplicate some versions make a smaller one all the same.
        assert names(ours, ObjectKind.DATA) < names(wasteful, ObjectKind.DATA)
        assert blobs(ours) >= blobs(theirs)


def needed_blobs(repository: Repository, tmp_path: Path) -> set[bytes]:
    """By stock restic's own judgement."""
    least = copy(repository, tmp_path / "least")
    ask_restic(least, "prune", "--max-unused", "0")
    return blobs(least)


def test_no_more_is_written_anew_than_is_allowed(wasteful: Repository, tmp_path: Path) -> None:
    for size in ("1k", "150k", "100M"):
        ours, theirs = (copy(wasteful, tmp_path / f"{name}-{size}") for name in ("ours", "theirs"))
        options = ["--max-unused", "0", "--max-repack-size", size]
        assert Ours(ours).run("prune", *options)[0] == 0
        ask_restic(theirs, "prune", *options)
        if size in ("1k", "100M"):  # between them each may begin with another pack
            assert blobs(ours) == blobs(theirs)
        assert "no errors were found" in ask_restic(ours, "check", "--read-data").stdout


@pytest.mark.parametrize("more", [[], ["--max-repack-size", "1k"], ["--max-repack-size", "100M"]])
def test_forgetting_and_pruning_at_once(
    wasteful: Repository, tmp_path: Path, more: list[str]
) -> None:
    rules = ["--keep-last", "1", "--group-by", "", "--prune", "--max-unused", "0", *more]
    ours, theirs = (copy(wasteful, tmp_path / name) for name in ("ours", "theirs"))
    before = stored(ours)
    assert Ours(ours).run("forget", *rules, "--dry-run")[0] == 0
    assert stored(ours) == before
    assert Ours(ours).run("forget", *rules, "--yes")[0] == 0
    ask_restic(theirs, "forget", *rules)
    assert names(ours, ObjectKind.SNAPSHOT) == names(theirs, ObjectKind.SNAPSHOT)
    assert blobs(ours) == blobs(theirs)
    assert "no errors were found" in ask_restic(ours, "check", "--read-data").stdout
