"""Whether regions are in truth one disk."""

from pathlib import Path

import pytest
from pytest_django import Settings

from storage.stores import shared_disks


def test_folders_of_one_disk(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    one.mkdir()
    assert not shared_disks.are_shared([str(one), str(other)])  # of what is away nothing is known
    other.mkdir()
    assert shared_disks.are_shared([str(one), str(other)])


def test_different_disks(tmp_path: Path) -> None:
    if Path("/proc").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system here")
    assert not shared_disks.are_shared([str(tmp_path), "/proc"])


def test_stores() -> None:
    own = ["s3+http://127.0.0.1:1/a", "s3+http://127.0.0.1:2/b"]
    assert shared_disks.are_shared(own)
    assert not shared_disks.are_shared(["s3+https://a.example/x", "s3+https://b.example/x"])
    assert not shared_disks.are_shared([])


def test_no_disk_is_asked_in_production(settings: Settings, tmp_path: Path) -> None:
    settings.REGIONS = {"a": str(tmp_path), "b": str(tmp_path)}
    settings.EMBEDDED = True
    assert shared_disks.share_a_disk()
    settings.EMBEDDED = False
    assert not shared_disks.share_a_disk()
