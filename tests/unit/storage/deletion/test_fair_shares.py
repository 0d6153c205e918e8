"""Sweep and purge: turns of bounded time, one runner at a time, equal shares for all accounts."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from storage import tasks, wakeups
from storage.database import single_runner
from storage.deletion import fair_shares, purge, sweep
from storage.errors import BusyError
from storage.models import Attempt, Region, Reservation, Runner, StoredObject, Usage
from storage.stores.filesystem.layout import path_of
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.registry import store_of
from storage.uploads import presigned
from storage.vaults import quota
from storage.vaults.enrolment import create_vault
from tests.unit.storage.conftest import Caller, access_of, caller, data_name, sha, some

pytestmark = pytest.mark.django_db
LATER = timedelta(days=400)


def doomed(who: Caller, count: int) -> list[Attempt]:
    """Attempts that were given up, with quota held for them, as `begin` and `give_up` leave."""
    region = Region.objects.order_by("priority")[0]
    access = access_of(who)
    items = [presigned.Announcement(data_name(some()), 1) for _ in range(count)]
    presigned.reserve(access, region, items)
    names = [item.name.name for item in items]
    attempts = Attempt.objects.filter(name__in=names)
    attempts.update(state="doomed", due_at=clock.now())
    return list(attempts.select_related("vault", "region"))


def left(who: Caller) -> int:
    return Attempt.objects.filter(vault=who.vault).count()


def test_a_turn_ends_in_time_and_the_next_goes_on(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "BATCH", 10)
    doomed(backup, 25)
    assert sweep.sweep(seconds=0) == 10
    assert sweep.sweep(seconds=0) == 10
    assert sweep.sweep() == 5
    assert not Reservation.objects.exists()
    assert Usage.objects.get(account=backup.vault.account).reserved_bytes == 0


def test_nobody_s_leavings_keep_another_s_waiting(
    backup: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "BATCH", 10)
    doomed(backup, 60)
    doomed(bob, 5)
    sweep.sweep(seconds=0)
    assert (left(backup), left(bob)) == (55, 0)


def test_one_account_s_many_vaults_have_one_share(
    backup: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "BATCH", 10)
    account = backup.vault.account
    others = [create_vault(account, name=f"v{n}", actor=SERVICE).vault for n in range(3)]
    for who in (backup, *(caller(vault, "backup") for vault in others)):
        doomed(who, 20)
    doomed(bob, 20)
    sweep.sweep(seconds=0)
    assert left(bob) == 15


def test_a_purge_runs_for_a_bounded_time_and_shares_as_well(
    backup: Caller, maintain: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who, by, count in ((backup, maintain, 6), (bob, bob, 2)):
        for content in [some() for _ in range(count)]:
            who.put(content)
            by.delete(f"data/{sha(content)}")
    assert purge.purge(grace_ended_before=clock.now(), seconds=0) == 0
    monkeypatch.setattr(purge, "BATCH", 4)
    finish, order = purge.finish, []

    def note(pk: int) -> None:
        order.append(StoredObject.objects.get(pk=pk).vault)
        finish(pk)

    monkeypatch.setattr(purge, "finish", note)
    assert purge.purge(grace_ended_before=clock.now()) == 8
    assert order[:4].count(bob.vault) == 2


def test_more_accounts_than_places_all_have_their_turn() -> None:
    work = {account: list(range(3)) for account in range(25)}

    def take(account: int, most: int) -> list[int]:
        taken, work[account] = work[account][:most], work[account][most:]
        return taken

    batches = list(fair_shares.fair(work, take, 10))
    assert sum(map(len, batches)) == 75
    assert all(len(batch) <= 10 for batch in batches)


@pytest.mark.parametrize("name", ["sweep", "purge"])
def test_one_worker_at_a_time(backup: Caller, maintain: Caller, name: str) -> None:
    doomed(backup, 1)
    content = some()
    backup.put(content)
    maintain.delete(f"data/{sha(content)}")
    acts: dict[str, Callable[[], object]] = {
        "sweep": sweep.sweep,
        "purge": lambda: purge.purge(grace_ended_before=clock.now()),
    }
    act = acts[name]
    with single_runner.alone(name) as is_mine:
        assert is_mine
        assert act() == 0
    assert act() == 1


def test_whoever_was_killed_holds_nothing_for_long() -> None:
    with single_runner.alone("sweep"):
        Runner.objects.update(token="of somebody who was killed")
    with single_runner.alone("sweep") as is_mine:
        assert not is_mine
    with clock.travelled(timedelta(minutes=11)), single_runner.alone("sweep") as is_mine:
        assert is_mine


def test_long_work_keeps_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    with single_runner.alone("reconcile") as hold:
        with clock.travelled(timedelta(minutes=9)):
            hold.renew()  # too early: it may be called for every key
            monkeypatch.setattr(single_runner, "RENEWED", 0)
            hold.renew()
        with clock.travelled(timedelta(minutes=18)), single_runner.alone("reconcile") as other:
            assert not other
            other.renew()  # takes nothing away
    assert Runner.objects.get(name="reconcile").until is None


def test_a_lease_of_a_clock_that_was_ahead_is_not_believed() -> None:
    Runner.objects.create(name="sweep", token="x", until=clock.now() + timedelta(days=31))
    with single_runner.alone("sweep") as is_mine:
        assert is_mine


def test_bytes_that_will_not_go_hold_up_nothing_else(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "BATCH", 2)
    attempts = doomed(backup, 6)
    for attempt in attempts[:3]:
        store = store_of(attempt.region)
        assert isinstance(store, FilesystemStore)
        path = path_of(store.root, attempt.key)
        (path / "a folder where a file should be").mkdir(parents=True)
    assert sweep.sweep() == 3
    assert {*Attempt.objects.values_list("pk", flat=True)} == {one.pk for one in attempts[:3]}
    assert sweep.sweep() == 0  # they have been put off
    assert not sweep.due(clock.now()).exists()
    assert sweep.due(clock.now() + sweep.RETRY).count() == 3


def test_what_a_replica_points_to_is_never_swept(backup: Caller) -> None:
    content = some()
    backup.put(content)
    Attempt.objects.update(state="doomed", due_at=clock.now())
    assert sweep.sweep(doomed_before=clock.now() + LATER) == 0
    assert backup.fetch(f"data/{sha(content)}") == content


def test_late_uploads_are_given_up_many_at_a_time(
    backup: Caller, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    doomed(backup, 30)
    Attempt.objects.update(state="writing", due_at=clock.now() - timedelta(hours=7))
    with django_assert_max_num_queries(30):
        assert sweep.sweep() == 0
    assert Attempt.objects.filter(state="doomed").count() == 30
    assert sweep.sweep(doomed_before=clock.now() + LATER) == 30


def test_a_task_that_has_not_come_to_its_end_asks_for_another_turn(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(wakeups, "run_again", asked.append)
    monkeypatch.setattr(sweep, "BATCH", 10)
    monkeypatch.setattr(tasks, "RUN_SECONDS", 0)
    doomed(backup, 15)
    tasks.sweep()
    assert asked == ["storage.tasks.sweep"]
    tasks.sweep()
    assert asked == ["storage.tasks.sweep"]


def test_open_uploads_are_bounded_by_vault_and_account(
    backup: Caller, bob: Caller, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "MOST_OPEN_OF_VAULT", 8)
    monkeypatch.setattr(quota, "MOST_OPEN_OF_ACCOUNT", 12)
    doomed(backup, 8)
    with pytest.raises(BusyError, match="within the"):
        doomed(backup, 1)
    refused = backup.put(some())
    assert (refused.status_code, refused["Retry-After"] != "") == (503, True)
    other = caller(create_vault(account, name="other", actor=SERVICE).vault, "backup")
    assert other.put(some()).status_code == 200
    doomed(other, 4)
    with pytest.raises(BusyError):
        doomed(other, 1)
    assert bob.put(some()).status_code == 200
    obj = Usage.objects.get(account=account).reserved_bytes
    assert obj == 12 * quota.FLOOR  # a refusal holds nothing
    sweep.sweep()
    assert backup.put(some()).status_code == 200


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer")
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_purges_at_once(backup: Caller, maintain: Caller) -> None:
    """They can be, where a lease has run out."""
    for content in [some() for _ in range(12)]:
        backup.put(content)
        maintain.delete(f"data/{sha(content)}")
    purged, failed = [], []

    def run() -> None:
        try:
            purged.append(purge.purge_removed(clock.now(), float("inf")))
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(purged) == 12
    assert not StoredObject.objects.exists()
    assert Usage.objects.get(account=backup.vault.account).tombstoned_bytes == 0
