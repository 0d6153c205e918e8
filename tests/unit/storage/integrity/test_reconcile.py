"""What the stores hold against what is on record."""

from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from backup_service import clock
from storage.deletion import purge, sweep
from storage.integrity.reconcile import reconcile
from storage.models import Region, StoredObject
from storage.stores.base import RegionUnavailableError
from storage.stores.registry import store_of
from tests.support.storage.replicas import obj, replica_in, states
from tests.unit.storage.conftest import Caller, path_of

__all__ = ["obj"]
pytestmark = pytest.mark.django_db


def test_reconcile_agrees_with_itself(obj: StoredObject) -> None:
    report = reconcile(SERVICE)
    assert (report.keys, report.missing, report.unknown, report.accounts_mended) == (2, 0, [], 0)


def test_reconcile_finds_missing_bytes_and_leaves_unknown_ones(
    backup: Caller, obj: StoredObject
) -> None:
    path_of(replica_in(obj, "a")).unlink()
    stranger = path_of(replica_in(obj, "b")).with_suffix("." + "0" * 32)
    stranger.write_bytes(b"whose?")
    report = reconcile(SERVICE)
    assert (report.missing, len(report.unknown)) == (1, 1)
    assert stranger.exists()
    assert states(obj) == {"a": "missing", "b": "stored"}


def test_reconcile_removes_again_what_the_journal_says_was_purged(
    backup: Caller, maintain: Caller, obj: StoredObject
) -> None:
    path = path_of(replica_in(obj, "a"))
    content = path.read_bytes()
    maintain.delete(f"data/{obj.name}")
    purge.purge(grace_ended_before=clock.now())
    sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
    path.write_bytes(content)
    assert reconcile(SERVICE).purged_again == 1
    assert not path.exists()


def test_reconcile_says_which_region_is_away(obj: StoredObject, tmp_path: Path) -> None:
    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    report = reconcile(SERVICE)
    assert len(report.unavailable) == 1
    assert states(obj) == {"a": "stored", "b": "stored"}


def test_the_store_of_a_region_that_is_no_longer_configured(
    obj: StoredObject, settings: Settings
) -> None:
    settings.REGIONS = {"a": settings.REGIONS["a"]}
    with pytest.raises(RegionUnavailableError, match="NIGHTSAFE_REGIONS"):
        store_of(Region.objects.get(alias="b"))
