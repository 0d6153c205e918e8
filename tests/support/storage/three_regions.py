"""Three regions, and objects whose replicas are in two of them, for tests."""

from pathlib import Path

import pytest
from pytest_django import Settings

from backup_service import clock
from storage.models import Region
from storage.regions.status import RegionStatus, region_status
from tests.support.storage.regions import begin, proved, work
from tests.unit.storage.conftest import Caller, some


@pytest.fixture
def regions(settings: Settings, tmp_path: Path, db: None) -> list[Region]:
    """Three regions, each by itself."""
    return begin(settings, tmp_path, "abc")


@pytest.fixture
def contents(backup: Caller) -> list[bytes]:
    """Objects with their replicas made and read back: in a and b, with nothing in c."""
    made = [some() for _ in range(12)]
    for content in made:
        assert backup.put(content).status_code == 200
    work()
    assert {tuple(proved(backup.stored_object(content))) for content in made} <= {
        ("a", "b"),
        ("b", "a"),
    }
    return made


def everything_is_there(backup: Caller, contents: list[bytes]) -> None:
    assert all(backup.fetch(f"data/{backup.stored_object(c).name}") == c for c in contents)


def where(backup: Caller, contents: list[bytes]) -> set[str]:
    """Return the sets of regions with verified replicas, as words."""
    return {"".join(sorted(proved(backup.stored_object(content)))) for content in contents}


def figures(alias: str) -> RegionStatus:
    return next(one for one in region_status(clock.now()) if one.region == alias)
