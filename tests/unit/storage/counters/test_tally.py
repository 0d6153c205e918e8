"""What a transaction changes is counted once, at its end, or not at all."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.audit import SERVICE
from backup_service import clock
from storage.counters import recount, tally
from storage.counters.situation import Copy, join, parse, spell
from storage.deletion import purge
from storage.models import Attempt, ObjectCount, Region, Replica, StoredObject
from storage.objects.commit import Arrival, commit
from storage.replication.replicator import replicate_due
from storage.vaults.enrolment import create_vault
from tests.support.storage.counts import recounted, require_counted
from tests.unit.storage.conftest import Caller, access_of, caller, sha, some

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 30, 12, 9, 59, 999_999, UTC)


def test_a_text_says_where_copies_are() -> None:
    spelled = [spell(12, "pending", NOON), spell(3, "stored", NOON)]
    spelled.append(spell(4, "missing", NOON, is_parked=True))
    text = join(spelled)
    assert text == join(reversed(spelled))
    ended = NOON + timedelta(microseconds=1)
    assert set(parse(text)) == {
        Copy(3, "stored"),
        Copy(4, "missing", ended, is_parked=True),
        Copy(12, "pending", ended),
    }
    assert parse("") == ()


def test_the_database_spells_moments_in_the_same_way(backup: Caller) -> None:
    backup.put(some())
    for microseconds in (0, 1, 499_999, 500_001, 999_499, 999_999):
        since = NOON.replace(microsecond=microseconds)
        Replica.objects.filter(state="pending").update(since=since)
        (found,) = recount.counted(backup.vault)
        assert set(found.copies.split()) == {
            spell(one.region_id, one.state, one.since) for one in Replica.objects.all()
        }


def test_an_object_that_two_watch_is_counted_once(backup: Caller) -> None:
    backup.put(some())
    obj = StoredObject.objects.get()
    with tally.changing([obj.pk]), tally.changing([obj.pk]):
        StoredObject.objects.update(state="tombstoned")
        tally.state_changed(obj, before="live")
    require_counted()


def test_what_is_rolled_back_does_not_count(backup: Caller) -> None:
    backup.put(some())
    obj = StoredObject.objects.get()
    with tally.counting():
        with pytest.raises(IntegrityError), tally.changing([obj.pk]):
            StoredObject.objects.update(state="lost", name=None)
        with tally.changing([obj.pk]):
            StoredObject.objects.update(state="tombstoned")
    assert StoredObject.objects.get().state == "tombstoned"
    require_counted()


def test_whoever_forgets_the_tally_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"inside `tally.counting` only"), transaction.atomic():
        tally.came(1, tally.total(["data"], [1]))


def test_counts_are_written_last_and_at_once(backup: Caller, maintain: Caller) -> None:
    content = some()
    with CaptureQueriesContext(connection) as uploading:
        backup.put(content)
    with CaptureQueriesContext(connection) as removing:
        maintain.delete(f"data/{sha(content)}")
    for queries in (uploading, removing):
        written = [
            at for at, one in enumerate(queries) if 'INTO "storage_objectcount"' in one["sql"]
        ]
        assert len(written) == 1
        after = [one["sql"] for one in list(queries)[written[0] + 1 :]]
        assert not [sql for sql in after if sql.startswith("UPDATE") and "storage_vault" in sql]


def test_two_equal_objects_of_one_batch(backup: Caller) -> None:
    """The second is another copy of the first, or nothing."""
    content = some()
    attempts = [
        Attempt.objects.create(
            vault=backup.vault,
            type="data",
            name=sha(content),
            region=region,
            due_at=clock.now() + timedelta(hours=1),
        )
        for region in [*Region.objects.order_by("pk"), Region.objects.order_by("pk")[0]]
    ]
    arrivals = [Arrival(attempt, len(content), sha(content)) for attempt in attempts]
    assert sorted(commit(access_of(backup), arrivals).values()) == [False, True, True]
    require_counted()
    copies = parse(ObjectCount.objects.exclude(objects_held=0).get().copies)
    assert set(copies) == {Copy(region.pk, "stored") for region in Region.objects.all()}


def test_rows_made_past_the_service_are_found(backup: Caller) -> None:
    backup.put(some())
    StoredObject.objects.update(state="lost")
    assert len(recount.compare(backup.vault)) == 2
    recounted()
    require_counted()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer")
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_many_at_once(backup: Caller, maintain: Caller) -> None:
    """Uploads, removals, copies and purges of two vaults neither deadlock nor miscount."""
    other = create_vault(backup.vault.account, name="other", actor=SERVICE).vault
    callers = [caller(vault, "maintain") for vault in (backup.vault, other)]
    failed: list[BaseException] = []

    def upload(who: Caller) -> None:
        for _ in range(12):
            content = some()
            assert who.put(content).status_code == 200
            assert who.delete(f"data/{sha(content)}").status_code == 200
            assert who.put(content).status_code == 200

    def copy() -> None:
        for _ in range(8):
            replicate_due()
            purge.purge_removed(clock.now(), float("inf"))

    def run(act: object, *arguments: object) -> None:
        try:
            act(*arguments)  # type: ignore[operator]
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    jobs = [(upload, callers[0]), (upload, callers[0]), (upload, callers[1]), (copy,), (copy,)]
    threads = [threading.Thread(target=run, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    require_counted()
