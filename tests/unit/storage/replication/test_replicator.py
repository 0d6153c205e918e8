"""Replicas: made in the order of commits, read back, and parked when they never work."""

from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from backup_service import clock
from storage.models import Attempt, Replica, StoredObject
from storage.object_names import StoreKey
from storage.replication import leases, replicator
from storage.replication.replicator import replicate_due
from storage.stores import rate_limits
from storage.stores.base import RegionUnavailableError, Source, UnreadableError
from storage.stores.filesystem.staging import Staging
from storage.stores.filesystem.store import FilesystemStore
from tests.support.storage.replicas import obj, replica_in, states
from tests.unit.storage.conftest import Caller, path_of, sha, some

__all__ = ["obj"]
pytestmark = pytest.mark.django_db


def test_copies_follow_in_the_order_of_commits(
    backup: Caller, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.COPIES_AT_ONCE = {"b": "1"}
    contents = [some() for _ in range(20)]
    for content in contents:
        backup.put(content)
    order = []
    real = FilesystemStore.put

    def put(self: FilesystemStore, key: StoreKey, body: Source, size: int) -> None:
        order.append(key.object.name)
        real(self, key, body, size)

    monkeypatch.setattr(FilesystemStore, "put", put)
    assert replicate_due() == 20
    assert order == [sha(content) for content in contents]


def test_a_replica_is_read_back_before_it_counts(backup: Caller, obj: StoredObject) -> None:
    replica = replica_in(obj, "b")
    assert replica.state == "stored"
    assert replica.verified_at is not None
    assert path_of(replica).read_bytes() == path_of(replica_in(obj, "a")).read_bytes()


def test_a_region_that_says_done_and_stored_nothing(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = some()
    backup.put(content)
    with monkeypatch.context() as patch:
        patch.setattr(FilesystemStore, "put", lambda self, key, body, size: body.read_to_end())
        assert replicate_due() == 0
    replica = replica_in(backup.stored_object(content), "b")
    assert (replica.state, replica.tries) == ("pending", 1)
    assert replica.next_attempt_at > clock.now()
    with clock.travelled(timedelta(minutes=1)):
        assert replicate_due() == 1


def test_a_region_that_stores_other_bytes(backup: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    content = some()
    backup.put(content)
    real = Staging.write_piece
    with monkeypatch.context() as patch:
        patch.setattr(
            Staging,
            "write_piece",
            lambda self, descriptor, piece: real(self, descriptor, bytes(len(piece))),
        )
        assert replicate_due() == 0
    assert states(backup.stored_object(content)) == {"a": "stored", "b": "pending"}
    assert Attempt.objects.filter(state="doomed").count() == 1


def test_a_replica_that_never_works_is_parked_and_blocks_nobody(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, other = some(), some()
    backup.put(poison)
    real = FilesystemStore.put

    def put(self: FilesystemStore, key: StoreKey, body: Source, size: int) -> None:
        if key.object.name == sha(poison):
            raise UnreadableError("this one breaks everything")
        real(self, key, body, size)

    monkeypatch.setattr(FilesystemStore, "put", put)
    backup.put(other)
    assert replicate_due() == 1
    for hours in range(1, leases.MOST_TRIES):
        with clock.travelled(timedelta(hours=2 * hours)):
            assert replicate_due() == 0
    replica = replica_in(backup.stored_object(poison), "b")
    assert replica.parked_at is not None
    assert "breaks everything" in replica.last_error
    assert states(backup.stored_object(other))["b"] == "stored"
    assert leases.unpark() == 1


def test_a_region_that_is_away_for_days_parks_nothing(backup: Caller, tmp_path: Path) -> None:
    contents = [some() for _ in range(3)]
    backup.put(contents[0])
    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    for hours in range(2 * leases.MOST_TRIES):
        with clock.travelled(timedelta(hours=4 * hours)):
            assert replicate_due() == 0
    for content in contents[1:]:
        backup.put(content)
    assert {replica_in(backup.stored_object(content), "b").tries for content in contents} == {0}
    (tmp_path / "unmounted").rename(tmp_path / "region-b")
    replicator.resting.clear()  # it may have been slow to find out, and rests in proportion
    with clock.travelled(timedelta(hours=200)):
        assert replicate_due() == 3


def test_a_region_that_fails_in_the_middle_counts_against_no_object(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [some() for _ in range(20)]
    for content in contents:
        backup.put(content)
    real, calls = FilesystemStore.put, []

    def put(self: FilesystemStore, key: StoreKey, body: Source, size: int) -> None:
        calls.append(key)
        if len(calls) > 5:
            raise RegionUnavailableError("gone")
        real(self, key, body, size)

    with monkeypatch.context() as patch:
        patch.setattr(FilesystemStore, "put", put)
        assert replicate_due() == 5
    assert len(calls) <= 5 + rate_limits.COPIES_AT_ONCE
    assert set(Replica.objects.values_list("tries", flat=True)) == {0}
    with clock.travelled(timedelta(minutes=1)):
        assert replicate_due() == 15
