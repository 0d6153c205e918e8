"""The modes of a restore: alone or with workers, by open folders or by paths."""

import pytest
from nightsafe.file_restorer import dispatcher
from nightsafe.target import target
from nightsafe.target.directory_by_path import PathDirectory

MODES = ("one process", "workers", "by paths", "workers by paths")


def use_mode(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore in this mode; even a small restore then uses workers."""
    if "workers" in mode:
        monkeypatch.setattr(dispatcher, "IN_PROCESS_PIECES", -1)
        monkeypatch.setattr(dispatcher, "IN_PROCESS_COMPARISONS", 0)
    if "by paths" in mode:
        monkeypatch.setattr(target, "DIRECTORY_TYPE", PathDirectory)


def is_by_paths() -> bool:
    """Whether folders are addressed by paths."""
    return target.DIRECTORY_TYPE is PathDirectory
