"""Pruning in a folder, by the agent and by stock restic in turn."""

import hashlib
import os
from pathlib import Path

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import RefusedError
from nightsafe.maintenance.check import check
from nightsafe.maintenance.forget import remove_snapshots
from nightsafe.maintenance.prune import PruneOptions, prune
from nightsafe.maintenance.prune_plan import parse_limit

from tests.interop.conftest import find_restic
from tests.interop.test_agent_local import (
    Place,
    _own_data_directory,
    assert_restic_restores,
    mixed,
    place,
    pytestmark,
)
from tests.support.interop.pair import version_of

__all__ = ["_own_data_directory", "mixed", "place", "pytestmark"]


@pytest.mark.parametrize("content", ["another's", "cut short"])
def test_the_way_out_of_a_damaged_index_file(place: Place, mixed: Path, content: str) -> None:
    """As a prune, which removes nothing, and a check advise."""
    place.init_by_restic()
    place.agent_backup(mixed)
    (mixed / "large.bin").write_bytes(os.urandom(2_000_000))
    place.agent_backup(mixed)
    name = min(listing.name for listing in place.storage.list(ObjectKind.INDEX))
    broken = os.urandom(500)
    if content == "cut short":
        broken = place.storage.load(ObjectKind.INDEX, name)[:-1]
    place.storage.remove(ObjectKind.INDEX, name)
    if content == "another's":
        name = hashlib.sha256(broken).hexdigest()
    place.storage.save(ObjectKind.INDEX, name, broken)
    with pytest.raises(RefusedError) as refused:
        prune(place.opened())
    assert f"index file {name} cannot be read" in str(refused.value)
    verb = ["repair", "index"] if version_of(find_restic()) >= (0, 16) else ["rebuild-index"]
    assert f"`restic {' '.join(verb)}`" in str(refused.value)
    assert any(" ".join(verb) in error for error in check(place.opened()).errors)
    place.restic(*verb)
    prune(place.opened())
    assert check(place.opened(), read_data=True).errors == []


def test_what_the_agent_pruned_restic_finds_sound(
    place: Place, mixed: Path, tmp_path: Path
) -> None:
    place.init_by_restic()
    place.restic("backup", str(mixed))
    (mixed / "large.bin").write_bytes(os.urandom(2_000_000))
    place.agent_backup(mixed)
    (mixed / "small.txt").write_text("changed")
    place.restic("backup", str(mixed))
    repository = place.opened()
    remove_snapshots(repository, repository.load_snapshots().sound[:2])
    report = prune(place.opened(), PruneOptions(limit=parse_limit("0")))
    assert report.freed_bytes > 3_000_000
    assert "no errors were found" in place.restic("check", "--read-data")
    assert_restic_restores(place, mixed, tmp_path / "by-restic")
    place.agent_restore(tmp_path / "by-agent")
    assert "total prune" in place.restic("prune", "--max-unused", "0").lower()
    assert check(place.opened(), read_data=True).errors == []
