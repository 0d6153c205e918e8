"""A day's purge takes its share, of each account and of all, and says so."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from backup_service import clock
from storage.deletion import purge, purge_limits
from storage.models import (
    StoredObject,
)
from storage.monitoring import alarms
from tests.support.storage.older import passed
from tests.unit.storage.conftest import Caller, sha, some
from tests.unit.storage.deletion.test_guard import DAY, MONTH

pytestmark = pytest.mark.django_db


def test_a_day_takes_its_share_and_says_so(
    backup: Caller,
    maintain: Caller,
    bob: Caller,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(purge_limits, "LEAST_OF_ACCOUNT", 2)
    settings.PURGE_SHARE = 50
    for who, by, count in ((backup, maintain, 8), (bob, bob, 2)):
        for content in [some() for _ in range(count)]:
            who.put(content)
            by.delete(f"data/{sha(content)}")
    with passed(MONTH):
        assert purge.purge() == 4 + 2
        assert purge.purge() == 0
        assert "capped" in {one.key for one in alarms.present()}
    with passed(MONTH + DAY + timedelta(hours=1)):
        assert purge.purge() == 2  # of four that are left
    assert StoredObject.objects.filter(vault=bob.vault).count() == 0


def test_all_together_have_a_bound_too(
    backup: Caller, maintain: Caller, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge_limits, "LEAST_OF_ALL", 1)
    settings.PURGE_SHARE = 25
    for content in [some() for _ in range(8)]:
        backup.put(content)
        maintain.delete(f"data/{sha(content)}")
    monkeypatch.setattr(purge, "BATCH", 1)
    with passed(MONTH):
        assert purge.purge() == 2
        assert purge.purge(grace_ended_before=clock.now()) == 6  # an operator's word
