"""The index: packs that several index files list, whole, in parts, and otherwise."""

import os
import random
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import DamagedError, RefusedError
from nightsafe.maintenance.check import check
from nightsafe.maintenance.forget import remove_snapshots
from nightsafe.maintenance.prune import PruneOptions, prune
from nightsafe.maintenance.prune_plan import parse_limit
from nightsafe.repofile import index
from nightsafe.repofile.index import Index, encode_index
from nightsafe.repofile.pack import BlobEntry, BlobKind, PackContent
from nightsafe.repository.repository import Repository
from nightsafe.restorer.restore import restore

from tests.support.agent.extensions import is_built
from tests.support.agent.split_index import split_index
from tests.unit.agent.conftest import reopen

FILES = 40


@pytest.fixture(params=["C", "Python"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Index files read by the extension, and by what stands in for it."""
    if request.param == "Python":
        monkeypatch.setattr(index, "native", None)
    elif not is_built("index_entries"):  # never in CI; see `extensions`
        pytest.skip("nightsafe._native.index_entries is not built here")


@pytest.fixture
def split(repository: Repository, source: Path, chance: random.Random) -> Repository:
    """A repository with two snapshots of many files, whose packs are listed in parts."""
    for number in range(FILES):
        (source / f"{number}").write_bytes(os.urandom(3000))
    backup(repository, [os.fsencode(source)])
    for number in range(0, FILES, 2):
        (source / f"{number}").write_bytes(os.urandom(3000))
    backup(reopen(repository), [os.fsencode(source)])
    split_index(repository, chance)
    return reopen(repository)


def blobs_of(*offsets: int) -> tuple[BlobEntry, ...]:
    return tuple(BlobEntry(BlobKind.DATA, bytes([n]) * 32, n * 100, 100, 150) for n in offsets)


def test_parts_are_put_together_in_any_order(chance: random.Random) -> None:
    whole = blobs_of(*range(9))
    for _ in range(50):
        found, told = Index(), PackContent(b"p" * 32, ())
        for _ in range(6):
            part = PackContent(b"p" * 32, tuple(chance.sample(whole, chance.randrange(10))))
            found.add(part)
            told = told.merged(part)
        assert list(told.blobs) == sorted(told.blobs, key=lambda blob: blob.offset)
        assert found.count(BlobKind.DATA) == len(told.blobs)
        assert all(len(found.locate(blob.kind, blob.id)) == 1 for blob in told.blobs)
        assert found.pack_end(b"p" * 32) == told.end


def test_a_blob_may_lie_in_a_pack_twice() -> None:
    first, _ = blobs_of(0, 1)
    twice = (first, first._replace(offset=100))
    found = Index()
    for _ in range(2):
        found.add(PackContent(b"p" * 32, twice))
    assert len(found.locate(first.kind, first.id)) == 2


@pytest.mark.usefixtures("reader")
def test_a_repository_listed_in_parts_is_sound(
    split: Repository, source: Path, tmp_path: Path
) -> None:
    report = check(reopen(split), read_data=True)
    assert (report.errors, report.unindexed) == ([], 0)
    assert report.split
    split.load_index()
    newest = split.load_snapshots().sound[-1]
    assert restore(split, newest, os.fsencode(tmp_path / "out")).issues == []
    for number in range(FILES):
        restored = Path(f"{tmp_path}/out{source}/{number}")
        assert restored.read_bytes() == (source / f"{number}").read_bytes()


@pytest.mark.usefixtures("reader")
def test_nothing_is_sent_again_that_is_listed_in_parts(split: Repository, source: Path) -> None:
    for path in source.iterdir():
        os.utime(path, follow_symlinks=False)
    report = backup(reopen(split), [os.fsencode(source)])
    assert report.count.stored_bytes < 9000  # trees, whose times are new


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("limit", ["0", "unlimited"])
def test_a_repository_listed_in_parts_is_pruned(split: Repository, limit: str) -> None:
    remove_snapshots(split, split.load_snapshots().sound[:1])
    prune(reopen(split), PruneOptions(limit=parse_limit(limit)))
    report = check(reopen(split), read_data=True)
    assert (report.errors, report.split) == ([], 0)


def test_a_prune_with_nothing_to_remove_puts_the_parts_together(split: Repository) -> None:
    split.load_index()
    before = set(split.index.packs)
    assert prune(reopen(split), PruneOptions(dry_run=True)).removed == 0
    assert check(reopen(split)).split
    report = prune(reopen(split))
    assert (report.removed, report.repacked) == (0, 0)
    after = check(reopen(split))
    assert (after.errors, after.split, after.packs) == ([], 0, len(before))


def test_files_that_disagree_are_said_and_nothing_is_pruned(split: Repository) -> None:
    contents = [c for _, found in split.index_files() for c in found or ()]
    victim = next(c for c in contents if c.blobs)
    moved = victim.blobs[0]._replace(offset=victim.blobs[0].offset + 1)
    text = encode_index([PackContent(victim.id, (moved,))])
    split.save_text(ObjectKind.INDEX, text)
    assert any("disagree" in error for error in check(reopen(split)).errors)
    with pytest.raises(RefusedError, match="disagree"):
        prune(reopen(split))


def test_of_a_pack_listed_in_part_alone_that_is_said(split: Repository) -> None:
    listings = list(split.storage.list(ObjectKind.INDEX))
    split.storage.remove(ObjectKind.INDEX, listings[0].name)
    assert check(reopen(split)).errors
    with pytest.raises(RefusedError):
        prune(reopen(split))


def test_merging_refuses_two_blobs_in_one_place() -> None:
    one, other = PackContent(b"p" * 32, blobs_of(1)), PackContent(b"p" * 32, blobs_of(2))
    assert one.merged(other).blobs == blobs_of(1, 2)
    moved = PackContent(b"p" * 32, (blobs_of(2)[0]._replace(offset=150),))
    with pytest.raises(DamagedError, match="disagree"):
        one.merged(moved)
