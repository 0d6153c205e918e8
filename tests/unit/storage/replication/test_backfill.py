"""What lacks replicas gets them: when a region comes or goes, a plan grows, or every hour."""

from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from backup_service import clock
from billing.actions import subscribe
from storage.models import Refill, Region, Replica, Vault
from storage.monitoring import alarms
from storage.regions import lifecycle
from storage.regions.status import replica_counts
from storage.replication import backfill
from storage.replication.replicator import replicate_due
from tests.support.storage.regions import configure, proved, region, work
from tests.support.storage.replicas import states
from tests.support.storage.three_regions import contents, regions, where
from tests.unit.storage.conftest import Caller, caller, some

__all__ = ["contents", "regions"]
pytestmark = pytest.mark.django_db


def test_what_lacks_replicas_is_filled_when_a_region_is_added(
    settings: Settings, tmp_path: Path, backup: Caller
) -> None:
    configure(settings, tmp_path, "a")
    Region.objects.filter(alias__in="bc").update(status="removed", instance="")
    content = some()
    backup.put(content)
    work()
    assert states(backup.stored_object(content)) == {"a": "stored"}
    status = replica_counts()
    assert (status.under_replicated, status.fewer_than_two_verified) == (1, 1)
    assert (status.reachable, status.promised, status.too_few_regions) == (1, 2, True)
    assert "places" in {found.key for found in alarms.present()}
    configure(settings, tmp_path, "ad")
    assert lifecycle.add("d", SERVICE).status == "active"
    work()
    assert proved(backup.stored_object(content)) == {"a", "d"}
    assert replica_counts().under_replicated == 0
    assert not replica_counts().too_few_regions
    assert "places" not in {found.key for found in alarms.present()}


def test_a_larger_plan_gets_its_third_replica(
    backup: Caller, vault: Vault, contents: list[bytes]
) -> None:
    assert replica_counts().under_replicated == 0
    subscribe(vault.account, plan="plus", actor=SERVICE)
    assert replica_counts().under_replicated == len(contents)
    work()
    assert where(backup, contents) == {"abc"}
    assert not Refill.objects.exclude(scope="all").filter(ended_at=None).exists()


def test_a_refill_goes_on_where_it_was_interrupted(
    backup: Caller, contents: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "BATCH", 5)
    lifecycle.offline(region("b"), SERVICE)
    walk = Refill.objects.get(scope="all")
    assert backfill.step(walk) == 5
    assert backfill.step(Refill.objects.get(scope="all")) == 5
    assert Replica.objects.filter(region__alias="c").count() == 10
    # Somebody who stands at the old place does nothing twice, and steps back.
    walk.cursor = 0
    assert backfill.step(walk) is None
    assert Replica.objects.filter(region__alias="c").count() == 10
    work()
    assert where(backup, contents) == {"ac"}


def test_a_refill_waits_while_there_is_a_backlog(
    backup: Caller, contents: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "BACKLOG", 4)
    monkeypatch.setattr(backfill, "BATCH", 2)
    lifecycle.offline(region("b"), SERVICE)
    assert backfill.backfill_due() == 4
    assert backfill.backfill_due() == 0
    assert replicate_due() == 4
    assert backfill.backfill_due() == 4
    work(rounds=20)
    assert where(backup, contents) == {"ac"}


def test_everything_is_looked_at_again_every_hour(backup: Caller, contents: list[bytes]) -> None:
    """Whatever went past a walk unseen is found by the next."""
    work()
    obj = backup.stored_object(contents[0])
    obj.replicas.filter(region__alias="b").delete()
    work()
    assert proved(obj) == {"a"}
    with clock.travelled(timedelta(hours=2)):
        work()
    assert len(proved(obj)) == 2


def test_a_replica_that_waits_for_a_full_region_goes_to_another(backup: Caller) -> None:
    content = some()
    backup.put(content)
    assert states(backup.stored_object(content)) == {"a": "stored", "b": "pending"}
    region("b").note_full()
    Refill.request()
    work()
    assert states(backup.stored_object(content)) == {"a": "stored", "c": "stored"}


def test_without_another_region_the_replica_waits_for_the_full_one(
    settings: Settings, tmp_path: Path, backup: Caller
) -> None:
    configure(settings, tmp_path, "ab")
    content = some()
    backup.put(content)
    region("b").note_full()
    Refill.request()
    assert backfill.backfill_due() == 0
    assert states(backup.stored_object(content)) == {"a": "stored", "b": "pending"}


def test_another_tenant_is_not_touched_by_an_accounts_refill(
    contents: list[bytes], bob: Caller, vault: Vault
) -> None:
    content = some()
    bob.put(content)
    work()
    subscribe(vault.account, plan="plus", actor=SERVICE)
    work()
    assert len(proved(bob.stored_object(content))) == 2
    assert caller(vault, "restore").names("data") != []
