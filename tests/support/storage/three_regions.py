"""Three regions, and objects whose replicas are in two of them, for tests."""

import pytest

from backup_service import clock
from storage.models import Region
from storage.regions.status import region_status
from tests.support.storage.regions import begin, proved, work
from tests.unit.storage.conftest import some


@pytest.fixture
def regions(settings, tmp_path, db) -> list[Region]:
    """Three regions, each by itself."""
    return begin(settings, tmp_path, "abc")


@pytest.fixture
def contents(backup) -> list[bytes]:
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


def everything_is_there(backup, contents) -> None:
    assert all(backup.fetch(f"data/{backup.stored_object(c).name}") == c for c in contents)


def where(backup, contents) -> set[str]:
    """Return the sets of regions with verified replicas, as words."""
    return {"".join(sorted(proved(backup.stored_object(content)))) for content in contents}


def figures(alias: str):
    return next(one for one in region_status(clock.now()) if one.region == alias)
