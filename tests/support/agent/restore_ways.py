"""The ways in which a restore may go: alone or with workers, by open folders or by paths."""

import pytest
from nightsafe.file_restorer import dispatcher
from nightsafe.target import target
from nightsafe.target.directory_by_path import NamedDirectory

WAYS = ("one process", "workers", "by paths", "workers by paths")


def go(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore in this way; small restores need no workers, so they are made to."""
    if "workers" in way:
        monkeypatch.setattr(dispatcher, "IN_PROCESS_PIECES", -1)
        monkeypatch.setattr(dispatcher, "IN_PROCESS_COMPARISONS", 0)
    if "by paths" in way:
        monkeypatch.setattr(target, "DIRECTORY_TYPE", NamedDirectory)


def is_by_paths() -> bool:
    """Whether the way that was chosen goes by paths."""
    return target.DIRECTORY_TYPE is NamedDirectory
