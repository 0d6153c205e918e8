"""Pruning in a folder, by the agent and by stock restic in turn."""

import os
from pathlib import Path

from nightsafe.check import check
from nightsafe.forget import remove_snapshots
from nightsafe.prune import PruneOptions, prune
from nightsafe.pruneplan import parse_limit

from tests.interop.test_agent_local import (
    Place,
    _own_data_directory,
    assert_restic_restores,
    mixed,
    place,
    pytestmark,
)

__all__ = ["_own_data_directory", "mixed", "place", "pytestmark"]


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
