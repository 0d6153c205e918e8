"""Restoring to a disk that runs full: the work stops, says so, and leaves nothing half."""

import contextlib
import errno
import os
from pathlib import Path

import pytest
from nightsafe.errors import (
    TargetFullError,
)
from nightsafe.file_restorer import file_writer
from nightsafe.repository.repository import Repository
from nightsafe.restorer import restore as restore_module

from tests.support.agent.restore_modes import MODES, is_by_paths, use_mode
from tests.support.disks import small_disk
from tests.unit.agent.restorer.test_restore import back_up, bring_back


@pytest.fixture(params=MODES, autouse=True)
def _every_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    use_mode(request.param, monkeypatch)


def leftovers(target: Path) -> list[Path]:
    return list(target.rglob("*.part"))


@pytest.mark.parametrize("call", ["write", "mkdir", "open", "rename", "symlink", "ftruncate"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_stops_the_restore_and_says_so(
    repository: Repository,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
) -> None:
    (source / "zeros").write_bytes(bytes(700_000))
    snapshot, target = back_up(repository, source), tmp_path / "target"
    target.mkdir()
    call = "replace" if call == "rename" and is_by_paths() else call
    real, inside = getattr(os, call), []
    # By paths only files are opened; the first one is a trial of what names the disk takes.
    free = (1 if is_by_paths() and call == "open" else 4) if call in ("mkdir", "open") else 0

    def is_inside(*args: object, **kwargs: object) -> bool:
        if is_by_paths() and call not in ("write", "ftruncate"):
            path = args[1 if call == "symlink" else 0]
            return isinstance(path, bytes) and path.startswith(os.fsencode(target) + b"/")
        return bool(kwargs.get("dir_fd") or kwargs.get("src_dir_fd"))

    def fail(*args: object, **kwargs: object) -> object:
        if call in ("write", "ftruncate") or is_inside(*args, **kwargs):
            inside.append(1)
            if len(inside) > free:
                raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(file_writer, "native", None)  # it calls the system itself
        patch.setattr(os, call, fail)
        patch.setattr(restore_module, "hold_lock", lambda *_, **__: contextlib.nullcontext())
        with pytest.raises(TargetFullError, match="is full"):
            bring_back(repository, snapshot, target)
    assert leftovers(target) == []


@pytest.mark.parametrize("size", [16 << 10, 200 << 10])
def test_a_disk_that_is_really_full(
    repository: Repository, source: Path, tmp_path: Path, size: int
) -> None:
    """However the files are written: a file system with less room than there are bytes."""
    target = tmp_path / "small"
    with small_disk(target, 128 << 10):
        for number in range(40):
            (source / f"file-{number}").write_bytes(os.urandom(size))
        snapshot = back_up(repository, source)
        with pytest.raises(TargetFullError, match="is full"):
            bring_back(repository, snapshot, target)
        assert leftovers(target) == []
