"""The demonstration's customer is promised what the regions can keep."""

from pathlib import Path

import pytest
from pytest_django import Settings

from backup_service.embedded.demo.customer import largest_plan
from tests.support.storage.regions import begin

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("aliases", "plan"), [("ab", "personal"), ("abc", "plus")])
def test_no_more_copies_than_there_are_places(
    settings: Settings, tmp_path: Path, aliases: str, plan: str
) -> None:
    begin(settings, tmp_path, aliases)
    assert largest_plan().slug == plan
