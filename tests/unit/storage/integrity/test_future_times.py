"""A clock that was ahead and is set right leaves no replica unmade, and no alarm silent."""

from datetime import timedelta

import pytest
from django.core import mail
from pytest_django import Settings

from backup_service import clock
from storage import tasks
from storage.integrity import future_times, scrub
from storage.models import (
    Alarm,
    Attempt,
    CanaryRun,
    Heartbeat,
    Lock,
    LossNotice,
    Region,
    Replica,
    Vault,
)
from storage.monitoring import alarms, canary
from storage.replication import leases
from storage.replication.replicator import replicate_due
from tests.unit.storage.conftest import Caller, sha, some

pytestmark = pytest.mark.django_db
MONTH = timedelta(days=31)


@pytest.fixture(autouse=True)
def _staff(settings: Settings) -> None:
    settings.ADMINS = [("", "staff@example.org")]


def test_copies_that_were_put_off_or_claimed_then_are_made_now(backup: Caller) -> None:
    contents = [some() for _ in range(3)]
    for content in contents:
        backup.put(content)
    with clock.travelled(MONTH):
        claim = leases.claim(1)
        leases.put_off(leases.claim(1).replicas[0], "", "in vain")
        Replica.objects.filter(state="pending").exclude(pk=claim.replicas[0].pk).update(
            next_attempt_at=clock.now() + timedelta(hours=1), lease_token="", lease_until=None
        )
    assert replicate_due() == 0
    tasks.watch_all()
    assert replicate_due() == 3


def test_alarms_of_which_staff_was_told_tomorrow_are_told_today(backup: Caller) -> None:
    for name in ("scrub", "sweep", "worker"):
        Heartbeat.beat(name)
    with clock.travelled(MONTH):
        backup.put(some())
        Replica.objects.update(since=clock.now() - timedelta(days=1))
        alarms.refresh()
        assert mail.outbox
    Replica.objects.filter(state="pending").update(since=clock.now() - timedelta(days=1))
    mail.outbox.clear()
    tasks.watch_all()
    assert "copies:b" in set(Alarm.objects.values_list("key", flat=True))
    assert mail.outbox


def test_whoever_is_silent_is_heard_of_no_longer(regions: list[Region]) -> None:
    with clock.travelled(MONTH):
        for name in ("worker", "scrub", "sweep"):
            Heartbeat.beat(name)
        canary.send()
    assert not {"worker", "canary:a"} & {one.key for one in alarms.present()}
    Region.objects.update(created_at=clock.now() - timedelta(days=1))
    future_times.correct(clock.now())
    assert {"worker", "scrub", "sweep", "canary:a", "canary:b"} <= {
        one.key for one in alarms.present()
    }
    assert not CanaryRun.objects.exists()


def test_what_was_read_back_then_is_read_back_soon(backup: Caller) -> None:
    backup.put(some())
    with clock.travelled(MONTH):
        replicate_due()
        scrub.scrub_all()
    future_times.correct(clock.now())
    assert scrub.due(clock.now()).count() == 2


def test_nothing_holds_or_keeps_for_longer_than_it_may(backup: Caller, vault: Vault) -> None:
    backup.put(some())
    with clock.travelled(MONTH):
        Attempt.objects.update(state="writing", due_at=clock.now() + timedelta(hours=6))
        LossNotice.objects.create(vault=vault, mailed_at=clock.now())
        Lock.objects.create(vault=vault, name=sha(b""), body=b"", credential=backup.credential)
        Vault.objects.update(last_snapshot_at=clock.now())
    future_times.correct(clock.now())
    assert Attempt.objects.get().due_at < clock.now() + timedelta(hours=8)
    assert LossNotice.objects.get().mailed_at is None
    soon = clock.now() + timedelta(minutes=6)
    assert Lock.objects.get().created_at < soon
    last = Vault.objects.get(pk=vault.pk).last_snapshot_at
    assert last is not None
    assert last < soon


def test_clocks_of_hosts_that_differ_a_little_change_nothing(backup: Caller, setup: Caller) -> None:
    backup.put(some())
    with clock.travelled(timedelta(minutes=3)):
        backup.put(some())
        replicate_due()
        canary.send()
        alarms.refresh()
    changed = future_times.correct(clock.now())
    assert changed == 0
