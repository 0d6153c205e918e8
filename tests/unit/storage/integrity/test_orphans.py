"""Bytes that arrive when their upload is no more: found and removed within a day."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from backup_service import clock
from storage import tasks, wakeups
from storage.body import HashedBody
from storage.deletion import purge, sweep
from storage.deletion.guard import InDoubtError
from storage.errors import BusyError
from storage.integrity import orphans
from storage.integrity.reconcile import reconcile
from storage.models import Attempt, Catalogue, Region, StoredObject, Survey, SweptAttempt
from storage.monitoring import alarms
from storage.object_names import StoreKey
from storage.replication import leases
from storage.replication.replicator import begin, finish, replicate_due
from storage.stores.base import RegionUnavailableError
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.registry import store_of
from storage.uploads import ingest, presigned
from tests.unit.storage.conftest import Caller, access_of, data_name, sha, some

pytestmark = pytest.mark.django_db
LATER = timedelta(days=400)


def keys() -> list[StoreKey]:
    return [key for region in Region.objects.all() for key, _ in store_of(region).list_keys()]


def sweep_all() -> None:
    for _ in range(2):  # given up, then removed
        sweep.sweep(doomed_before=clock.now() + LATER)


def upload(who: Caller, content: bytes) -> tuple[Attempt, HashedBody]:
    region = Region.objects.order_by("priority")[0]
    attempt = ingest.begin(access_of(who), data_name(content), region=region, size=len(content))
    return attempt, HashedBody(io.BytesIO(content), size=len(content), sha256=sha(content))


@pytest.fixture
def orphan(backup: Caller) -> StoreKey:
    """Bytes that arrived under a key whose upload was given up and swept."""
    content = some()
    attempt, body = upload(backup, content)
    Attempt.objects.update(due_at=clock.now())
    sweep_all()
    assert not Attempt.objects.exists()
    store_of(attempt.region).put(attempt.key, body, len(content))
    return attempt.key


def test_an_upload_that_ends_after_it_was_swept_takes_its_bytes_away(backup: Caller) -> None:
    content = some()
    attempt, body = upload(backup, content)
    Attempt.objects.update(due_at=clock.now())
    sweep_all()
    store_of(attempt.region).put(attempt.key, body, len(content))
    access, name = access_of(backup), data_name(content)
    with pytest.raises(BusyError):
        ingest.record_or_clear(access, name, attempt=attempt, body=body, lock="")
    assert keys() == []


def test_what_arrives_after_the_sweep_goes_with_the_next_survey(
    backup: Caller, orphan: StoreKey
) -> None:
    kept = some()
    backup.put(kept)
    replicate_due()
    assert orphan in keys()
    tasks.survey_regions()
    assert orphan not in keys()
    assert len(keys()) == 2
    assert backup.fetch(f"data/{sha(kept)}") == kept


def test_a_replica_that_is_made_after_it_was_given_up(backup: Caller) -> None:
    content = some()
    backup.put(content)
    claim = leases.claim(1)
    [attempt] = begin(claim.replicas)
    attempt.vault = backup.vault
    Attempt.objects.filter(pk=attempt.pk).update(due_at=clock.now())
    sweep_all()
    store_of(attempt.region).put(attempt.key, io.BytesIO(content), len(content))
    assert not finish(claim.replicas[0], claim.token, attempt)
    orphans.survey()
    assert [key.attempt for key in keys()] == [
        backup.stored_object(content).replicas.get(region__alias="a").attempt_id
    ]


def test_reconcile_removes_it_as_well(orphan: StoreKey) -> None:
    assert reconcile(SERVICE).purged_again == 1
    assert keys() == []


def test_it_comes_round_twice_a_day(backup: Caller, orphan: StoreKey) -> None:
    orphans.survey()
    assert keys() == []
    store_of(Region.objects.get(alias="a")).put(orphan, io.BytesIO(b"x"), 1)
    assert orphans.survey() == 0
    with clock.travelled(timedelta(hours=12, minutes=1)):
        assert orphans.survey() == 1


def test_what_nobody_knows_is_left_alone_and_alarmed_of(backup: Caller, orphan: StoreKey) -> None:
    SweptAttempt.objects.all().delete()
    assert orphans.survey() == 0
    assert keys() == [orphan]
    assert "strange:a" in {one.key for one in alarms.present()}
    assert reconcile(SERVICE).unknown == [f"a: {orphan}"]


def test_what_is_under_way_or_stored_is_no_orphan(backup: Caller) -> None:
    content = some()
    attempt, body = upload(backup, content)
    store_of(attempt.region).put(attempt.key, body, len(content))
    assert orphans.survey() == 0
    assert keys() == [attempt.key]
    assert not Survey.objects.filter(strange__gt=0).exists()


def test_turns_go_on_where_they_ended(
    backup: Caller, bob: Caller, orphan: StoreKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob.put(some())
    backup.put(some())
    asked: list[str] = []
    monkeypatch.setattr(wakeups, "run_again", asked.append)
    monkeypatch.setattr(tasks, "RUN_SECONDS", 0)
    for _ in range(8):
        tasks.survey_regions()
    assert orphan not in keys()
    assert asked
    assert not orphans.has_begun()
    assert set(Survey.objects.exclude(ended_at=None).values_list("region__alias", flat=True)) == {
        "a",
        "b",
    }


def test_a_turn_ends_in_the_middle_of_a_vault(
    backup: Caller, bob: Caller, orphan: StoreKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(7):
        backup.put(some())
    bob.put(some())
    store = store_of(Region.objects.get(alias="a"))
    for number in range(5):  # the same object, given up again and again
        late = replace(orphan, attempt=f"{number:032x}")
        SweptAttempt.objects.create(pk=late.attempt)
        store.put(late, io.BytesIO(b"x"), 1)
    monkeypatch.setattr(orphans, "PAGE", 3)
    turns, removed = 0, 0
    while turns == 0 or orphans.has_begun():
        removed += orphans.survey(seconds=0)
        turns += 1
    assert removed == 6
    assert turns >= (7 + 6 + 1) // 3  # a page each
    assert len(keys()) == 8
    assert Survey.objects.get(region__alias="a").ended_at is not None


def test_a_list_that_breaks_off_ends_nothing(
    backup: Caller, bob: Caller, orphan: StoreKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob.put(some())
    whole = FilesystemStore.list_keys

    def broken(
        self: FilesystemStore, vault: str | None = None, *, after: StoreKey | None = None
    ) -> Iterator[tuple[StoreKey, int]]:
        yield from whole(self, vault, after=after)
        raise RegionUnavailableError("it broke off")

    monkeypatch.setattr(FilesystemStore, "list_keys", broken)
    orphans.survey()
    assert not Survey.objects.filter(region__alias="a").exclude(ended_at=None).exists()
    monkeypatch.undo()
    orphans.survey()
    assert keys() != []
    assert orphan not in keys()


def test_it_refuses_while_the_catalogue_is_in_doubt(orphan: StoreKey) -> None:
    Catalogue.objects.update_or_create(pk=1, defaults={"doubt": "restored", "doubt_text": "Old."})
    with pytest.raises(InDoubtError):
        orphans.survey()
    tasks.survey_regions()
    assert keys() == [orphan]


def test_records_of_sweeps_are_kept_for_three_months(orphan: StoreKey) -> None:
    with clock.travelled(timedelta(days=89)):
        sweep.sweep()
        assert SweptAttempt.objects.count() == 1
    with clock.travelled(timedelta(days=91)):
        sweep.sweep()
    assert not SweptAttempt.objects.exists()


def test_an_upload_that_was_announced_and_given_up_leaves_a_record(backup: Caller) -> None:
    region = Region.objects.order_by("priority")[0]
    item = presigned.Announcement(data_name(some()), 1)
    presigned.reserve(access_of(backup), region, [item])
    [attempt] = Attempt.objects.all()
    presigned.give_up(access_of(backup), [attempt.pk])
    sweep_all()
    assert SweptAttempt.objects.get().pk == attempt.pk


def test_a_purged_object_s_late_bytes(backup: Caller, maintain: Caller) -> None:
    content = some()
    backup.put(content)
    key = Attempt.objects.select_related("vault").get().key
    maintain.delete(f"data/{sha(content)}")
    purge.purge(grace_ended_before=clock.now())
    sweep_all()
    assert not StoredObject.objects.exists()
    store_of(Region.objects.get(alias="a")).put(key, io.BytesIO(content), len(content))
    assert orphans.survey() == 1
    assert keys() == []
