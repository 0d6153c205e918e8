"""Who copies what, and how much at once: leases, limits and turns."""

import threading
import time
from datetime import timedelta

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from backup_service import clock
from storage.models import Attempt, StoredObject
from storage.object_names import StoreKey
from storage.replication import leases, replicator, transfer
from storage.replication.replicator import replicate_due
from storage.replication.scheduler import RoundRobin
from storage.stores.base import Source
from storage.stores.filesystem.store import FilesystemStore
from storage.vaults.enrolment import create_vault
from tests.support.storage.replicas import obj, replica_in, states
from tests.unit.storage.conftest import Caller, caller, some

__all__ = ["obj"]
pytestmark = pytest.mark.django_db


def test_a_replica_that_ends_its_worker_is_tried_alone_and_then_parked(backup: Caller) -> None:
    """The try is counted at the claim; whoever claims and never comes back was killed by it."""
    deadly, other = some(), some()
    backup.put(deadly)
    backup.put(other)
    obj = backup.stored_object(deadly)
    for number in range(leases.MOST_TRIES):
        with clock.travelled(timedelta(minutes=5 * number)):
            claim = leases.claim_suspect() if number >= leases.SUSPECT else leases.claim(1)
            assert [replica.object for replica in claim.replicas] == [obj]
            assert claim.replicas[0].tries == number + 1
            if number >= leases.SUSPECT:
                beside = [replica.object for replica in leases.orderly()]
                assert beside == [backup.stored_object(other)]
    with clock.travelled(timedelta(hours=2)):
        assert replicate_due() == 1
        replica = replica_in(obj, "b")
        assert replica.parked_at is not None
        assert "workers' logs" in replica.last_error
    assert states(obj) == {"a": "stored", "b": "pending"}
    with clock.travelled(timedelta(hours=3)):
        assert leases.unpark() == 1
        assert replicate_due() == 1


def test_a_replica_that_takes_long_keeps_its_lease(backup: Caller) -> None:
    backup.put(some())
    claim = leases.claim(1)
    pairs = [(replica.pk, claim.token) for replica in claim.replicas]
    with clock.travelled(timedelta(minutes=1.5)):
        leases.renew(pairs)
    with clock.travelled(timedelta(minutes=3)):
        assert leases.claim(1).replicas == []
        leases.renew([(pk, "somebody else's") for pk, _ in pairs])
    with clock.travelled(timedelta(minutes=4)):
        assert len(leases.claim(1).replicas) == 1


def test_many_replicas_are_made_at_once_and_no_more_than_allowed(
    backup: Caller, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.COPIES_AT_ONCE = {"b": "3"}
    for _ in range(12):
        backup.put(some())
    real, now, most, all_there = FilesystemStore.put, [], [], threading.Event()

    def put(self: FilesystemStore, key: StoreKey, body: Source, size: int) -> None:
        now.append(key)
        most.append(len(now))
        if len(now) == 3:
            all_there.set()
        assert all_there.wait(20), "nobody came beside it"
        time.sleep(0.02)  # for one too many
        real(self, key, body, size)
        now.remove(key)

    monkeypatch.setattr(FilesystemStore, "put", put)
    assert replicate_due() == 12
    assert max(most) == 3


def test_a_rate_holds_copying_back(backup: Caller, settings: Settings) -> None:
    settings.COPY_RATES = {"b": "1M"}
    for _ in range(4):
        backup.put(some(200_000))
    begun = time.monotonic()
    assert replicate_due() == 4
    assert time.monotonic() - begun > 0.5  # 1.6 MB to and fro, 0.25 s of it at once


def test_every_vault_has_its_turn_and_what_is_fresh_has_every_second(
    backup: Caller, maintain: Caller, bob: Caller
) -> None:
    """A vault with a long backlog, another one with a short one, and one that came just now."""
    other = caller(create_vault(backup.vault.account, name="desk", actor=SERVICE).vault, "backup")
    for _ in range(6):
        backup.put(some())
    for _ in range(3):
        other.put(some())
    with clock.travelled(timedelta(hours=9)):
        bob.put(some())
        bob.put(some())
        scheduler = RoundRobin()
        scheduler.refresh(now=True)
        [region] = scheduler.regions
        taken = [scheduler.take(region, 1)[0] for _ in range(6)]
    assert taken[::2] == [bob.vault.pk] * 3
    assert set(taken[1::2]) == {backup.vault.pk, other.vault.pk}
    assert len(scheduler.take(region, 9)) == 3
    claim = leases.claim(6, region=region, vaults=[backup.vault.pk, other.vault.pk, bob.vault.pk])
    served = [replica.object.vault_id for replica in claim.replicas]
    assert {vault: served.count(vault) for vault in served} == {
        backup.vault.pk: 2,
        other.vault.pk: 2,
    }  # what bob stored is still hours away
    assert [
        replica.sequence for replica in claim.replicas if replica.object.vault == backup.vault
    ] == [1, 2]


def test_a_lease_keeps_others_away_until_it_ends(backup: Caller) -> None:
    content = some()
    backup.put(content)
    first = leases.claim(10)
    assert len(first.replicas) == 1
    assert leases.claim(10).replicas == []
    assert replicate_due() == 0
    with clock.travelled(timedelta(minutes=11)):
        assert replicate_due() == 1
    assert not leases.leased(first.replicas[0], first.token).exists()


def test_a_worker_whose_lease_was_taken_over_changes_nothing(
    backup: Caller, obj: StoredObject
) -> None:
    """It finishes late: its bytes are doomed, the other worker's replica stays."""
    content = some()
    backup.put(content)
    slow = leases.claim(10)
    [attempt] = replicator.begin(slow.replicas)
    assert transfer.copy(replicator.transfer_of(slow.replicas[0], attempt)).error is None
    with clock.travelled(timedelta(minutes=11)):
        assert replicate_due() == 1
    assert not replicator.finish(slow.replicas[0], slow.token, attempt)
    assert Attempt.objects.get(pk=attempt.pk).state == "doomed"
    assert replica_in(backup.stored_object(content), "b").attempt_id != attempt.pk
