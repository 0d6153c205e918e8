"""The canary: a round trip through every region, and an alarm where it does not come back."""

from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from backup_service import clock
from storage.models import CanaryRun, Credential, Replica, StoredObject
from storage.monitoring import alarms, canary
from storage.vaults import credentials
from tests.unit.storage.conftest import path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_service")]


def test_a_canary_goes_to_every_region_and_comes_back(settings: Settings) -> None:
    runs = canary.send()
    assert [(run.region.alias, run.went_well) for run in runs] == [("a", True), ("b", True)]
    objects = StoredObject.objects.order_by("pk")
    assert [one.replicas.get(state="stored").region.alias for one in objects] == ["a", "b"]
    with clock.travelled(timedelta(hours=5)):
        assert all(run.went_well for run in canary.send())
    assert StoredObject.objects.filter(state="tombstoned").count() == 2
    assert not any(found.key.startswith("canary") for found in alarms.present())


def test_a_region_that_is_away_or_changes_bytes_alarms_by_name(tmp_path: Path) -> None:
    canary.send()
    (tmp_path / "region-a").rename(tmp_path / "unmounted")
    first, second = canary.send()
    assert (first.went_well, second.went_well) == (False, True)
    assert "mounted" in first.error
    assert [found.key for found in alarms.present()] == ["canary:a"]
    (tmp_path / "unmounted").rename(tmp_path / "region-a")
    kept = Replica.objects.select_related("region", "attempt__vault").filter(
        state="stored", region__alias="b"
    )
    for replica in kept:
        path_of(replica).write_bytes(b"changed")
    _, second = canary.send()
    assert not second.went_well


def test_its_credential_is_its_own_and_made_again_when_it_no_longer_fits(
    settings: Settings,
) -> None:
    canary.send()
    first = Credential.objects.get(revoked_at=None)
    assert first.scope == "maintain"
    canary.send()
    assert Credential.objects.get(revoked_at=None) == first
    settings.SECRET_KEY = "another one, since the service was moved"
    assert all(run.went_well for run in canary.send())
    second = Credential.objects.get(revoked_at=None)
    assert second != first
    credentials.revoke(second, actor=SERVICE)
    assert all(run.went_well for run in canary.send())
    assert Credential.objects.get(revoked_at=None) not in (first, second)


def test_absence_alarms() -> None:
    canary.send()
    with clock.travelled(timedelta(hours=2)):
        assert not any(found.key.startswith("canary") for found in alarms.present())
    with clock.travelled(timedelta(hours=3, minutes=1)):
        assert {"canary:a", "canary:b"} <= {found.key for found in alarms.present()}


def test_runs_are_kept_for_a_month() -> None:
    canary.send()
    with clock.travelled(timedelta(days=31)):
        canary.send()
    assert CanaryRun.objects.count() == 2
