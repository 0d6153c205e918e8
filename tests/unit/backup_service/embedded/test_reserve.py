"""Room that is kept back, given up on a full disk, and taken back later."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup_service.embedded.errors import DataDirectoryError
from backup_service.embedded.reserve import INTERVAL, LEAST, PLENTY, SIZE, Reserve
from storage.stores.filesystem.store import HEADROOM
from tests.support.disks import fill, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", PLENTY + (1 << 20)) as made:
        yield made


def free(disk: Path) -> int:
    counted = os.statvfs(disk)
    return counted.f_bavail * counted.f_frsize


@pytest.mark.parametrize("system", ["linux", "macos"])
def test_it_is_given_up_on_a_full_disk_and_taken_back(
    disk: Path, system: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if system == "macos":
        monkeypatch.delattr("os.posix_fallocate")
    Reserve(disk).open()
    assert (disk / "reserve").stat().st_blocks * 512 >= SIZE  # room, and no hole
    ballast = fill(disk)
    assert free(disk) == 0
    Reserve(disk).open()
    assert free(disk) >= SIZE
    assert "Restores go on" in capsys.readouterr().out
    Reserve(disk).open()
    assert free(disk) >= SIZE  # a full disk is no place to make it again
    ballast.unlink()
    Reserve(disk).mind()
    assert (disk / "reserve").stat().st_blocks * 512 >= SIZE
    assert capsys.readouterr().out == ""


def test_no_upload_gets_what_was_given_up() -> None:
    """A region of the same disk takes nothing when that would leave less than its headroom."""
    assert SIZE + LEAST < HEADROOM
    assert PLENTY - SIZE > HEADROOM


def test_a_running_service_looks_now_and_then(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reserve = Reserve(disk)
    reserve.open()
    fill(disk)
    reserve.mind()
    assert (disk / "reserve").exists()
    now += INTERVAL
    reserve.mind()
    assert not (disk / "reserve").exists()


def test_with_nothing_kept_back_it_is_said_how_much_is_wanted(disk: Path) -> None:
    fill(disk)
    with pytest.raises(DataDirectoryError, match="Free at least 8 MiB there"):
        Reserve(disk).open()
