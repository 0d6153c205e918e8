"""Whoever locks several rows takes them in one order: seen with another one in the middle of it.

Somebody holds the row that comes first. Whatever wants it and a later one has to wait for the first
without holding the later: or the two would wait for each other, once the somebody goes on.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from accounts.actions import add_device
from accounts.audit import SERVICE
from accounts.models import Account, Device
from backup_service import clock
from storage.deletion import purge, sweep
from storage.integrity import repair, scrub
from storage.models import Attempt, Credential, Region, Replica, StoredObject, Vault
from storage.objects import damage, replicas
from storage.regions import drain, lifecycle, write_off
from storage.replication import backfill, leases
from storage.replication.replicator import replicate_due
from storage.stores.base import NoSuchKeyError
from storage.vaults import credentials, devices
from tests.support.storage.regions import begin, region
from tests.support.storage.replicas import replica_in
from tests.unit.storage.conftest import Caller, sealed, sha, some
from tests.unit.storage.conftest import damage as spoil

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="SQLite has one writer: nothing is at once there"
    ),
]
Work = Callable[[], Any]


@pytest.fixture
def regions(settings: Settings, tmp_path: Path, db: None) -> list[Region]:
    return begin(settings, tmp_path, "abc")


def stored(backup: Caller) -> StoredObject:
    """An object with a proved replica in each of `a` and `b`."""
    content = some()
    assert backup.put(content).status_code == 200
    replicate_due()
    scrub.scrub_all()
    return backup.stored_object(content)


def turn_round(model: Any, *pks: Any) -> None:
    """Write rows anew, the last first, so that they lie, and are met, in the wrong order."""
    table, key = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        for pk in sorted(pks, reverse=True):
            cursor.execute(f'UPDATE "{table}" SET "{key}" = "{key}" WHERE "{key}" = %s', [pk])


def is_waited_for() -> bool:
    """Whether another transaction waits for this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks "
            "WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


def require_order(first: tuple[Any, Any], later: tuple[Any, Any], work: Work) -> None:
    """Hold `first` (model, key) while `work` goes on, and see that it does not hold `later`."""

    def there() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first[0].objects.select_for_update().get(pk=first[1])
            done = pool.submit(there)
            deadline = time.monotonic() + 20
            while not is_waited_for():
                assert not done.done(), ("it wanted nothing of this", done.result())
                assert time.monotonic() < deadline
                time.sleep(0.01)
            later[0].objects.select_for_update(nowait=True).get(pk=later[1])
        done.result(timeout=20)


# --- One table: the least primary key first


def two_replicas(backup: Caller, alias: str = "b") -> list[Replica]:
    """Replicas of two objects in one region, met in the wrong order."""
    objects = [stored(backup), stored(backup)]
    found = sorted((replica_in(one, alias) for one in objects), key=lambda replica: replica.pk)
    turn_round(Replica, *[replica.pk for replica in found])
    return found


def test_proofs_of_a_scrub(backup: Caller) -> None:
    first, later = two_replicas(backup)
    work = partial(scrub.record_verified, [later, first])
    require_order((Replica, first.pk), (Replica, later.pk), work)


@pytest.mark.parametrize("act", ["renew", "unpark", "chosen", "repair", "hopeless", "idle"])
def test_many_replicas_on_the_work_list(backup: Caller, vault: Vault, act: str) -> None:
    first, later = two_replicas(backup)
    past = clock.now() - timedelta(hours=1)
    lease = {"lease_token": "x", "lease_until": past} if act in ("renew", "hopeless") else {}
    parked = {"parked_at": past} if act in ("unpark", "chosen") else {}
    Replica.objects.filter(pk__in=[first.pk, later.pk]).update(
        state="pending", attempt=None, tries=leases.MOST_TRIES, **lease, **parked
    )
    turn_round(Replica, first.pk, later.pk)
    works: dict[str, Work] = {
        "renew": lambda: leases.renew([(later.pk, "x"), (first.pk, "x")]),
        "unpark": leases.unpark,
        "chosen": lambda: leases.unpark([later.pk, first.pk], actor=SERVICE),
        "repair": leases.bring_forward,
        "hopeless": leases.claim_suspect,
        "idle": lambda: drain.give_up_idle(region("b")),
    }
    require_order((Replica, first.pk), (Replica, later.pk), works[act])


def test_copies_that_are_given_up_for_other_regions(backup: Caller) -> None:
    first, later = two_replicas(backup)
    Replica.objects.filter(pk__in=[first.pk, later.pk]).update(state="pending", attempt=None)
    lifecycle.read_only(region("b"), SERVICE)
    turn_round(Replica, first.pk, later.pk)
    objects = [first.object_id, later.object_id]
    require_order((Replica, first.pk), (Replica, later.pk), lambda: backfill.queue_missing(objects))


@pytest.mark.parametrize("act", ["purge", "drain"])
def test_all_replicas_of_an_object(backup: Caller, maintain: Caller, act: str) -> None:
    obj = stored(backup)
    first, later = obj.replicas.order_by("pk")
    if act == "purge":
        maintain.delete(f"data/{obj.name}")
        work: Work = partial(purge.begin, obj.pk, clock.now())
    else:
        backfill.queue_missing([obj.pk])
        Replica.objects.create(object=obj, region=region("c"), sequence=obj.sequence)
        replicate_due()
        lifecycle.drain(first.region, SERVICE)
        work = partial(drain.remove_if_enough, first, 2)
    turn_round(Replica, first.pk, later.pk)
    require_order((Replica, first.pk), (Replica, later.pk), work)


def test_attempts_that_are_doomed(backup: Caller) -> None:
    objects = [stored(backup), stored(backup)]
    first, later = sorted(replica_in(one, "b").attempt_id or "" for one in objects)
    turn_round(Attempt, first, later)
    works = Attempt.objects.filter(pk__in=[first, later])
    require_order((Attempt, first), (Attempt, later), lambda: replicas.doom(works))


def test_left_over_keys(setup: Caller) -> None:
    contents = [sealed(b"one key"), sealed(b"another key")]
    for content in contents:
        assert setup.put(content, "keys").status_code == 200
    first, later = StoredObject.objects.order_by("pk").values_list("pk", flat=True)
    turn_round(StoredObject, first, later)
    require_order(
        (StoredObject, first),
        (StoredObject, later),
        lambda: setup.client.post(setup.url("") + "?create=true"),
    )


@pytest.mark.parametrize("act", ["snapshot", "retire"])
def test_credentials(setup: Caller, vault: Vault, account: Account, act: str) -> None:
    device = add_device(account, name="laptop", actor=SERVICE)
    Vault.objects.filter(pk=vault.pk).update(device=device)
    vault.refresh_from_db()
    made = [
        credentials.create(vault, scope="backup", actor=SERVICE, device=device, with_setup=True)
        for _ in range(2)
    ]
    first, later = (one.credential.pk for one in made)
    if act == "snapshot":
        setup.get("index/")
        Credential.objects.exclude(pk__in=[first, later]).update(setup_until=None)
    turn_round(Credential, first, later)
    works: dict[str, Work] = {
        "snapshot": lambda: setup.put(sealed(b"a snapshot"), "snapshots"),
        "retire": lambda: devices.retire_device(Device.objects.get(), actor=SERVICE),
    }
    require_order((Credential, first), (Credential, later), works[act])


# --- Several tables: vault, object, replicas, attempts


@pytest.mark.parametrize("act", ["mark", "write off", "find"])
def test_the_vault_comes_before_an_object_that_is_lost_or_found(
    backup: Caller, tmp_path: Path, act: str
) -> None:
    obj = stored(backup)
    replica = replica_in(obj, "a")
    Replica.objects.filter(object=obj).exclude(pk=replica.pk).delete()
    if act == "find":
        StoredObject.objects.filter(pk=obj.pk).update(state="lost")
        Replica.objects.filter(pk=replica.pk).update(state="missing")
    works: dict[str, Work] = {
        "mark": lambda: damage.mark(replica, NoSuchKeyError("gone")),
        "write off": lambda: write_off.remove_replica(replica),
        "find": repair.find_lost,
    }
    require_order((Vault, backup.vault.pk), (StoredObject, obj.pk), works[act])
    expected = "live" if act == "find" else "lost"
    assert backup.state_of(obj) == expected


def test_an_object_comes_before_its_replicas_when_a_purge_ends(
    backup: Caller, maintain: Caller
) -> None:
    obj = stored(backup)
    maintain.delete(f"data/{obj.name}")
    StoredObject.objects.filter(pk=obj.pk).update(state="purging")
    replica = replica_in(obj, "a")
    require_order((StoredObject, obj.pk), (Replica, replica.pk), lambda: purge.finish(obj.pk))


def test_a_replica_comes_before_the_attempt_that_it_is_found_with(backup: Caller) -> None:
    obj = stored(backup)
    replica = replica_in(obj, "a")
    spoil(replica)
    Replica.objects.filter(object=obj).update(state="corrupt")
    StoredObject.objects.filter(pk=obj.pk).update(state="lost")
    other = replica_in(obj, "b")
    require_order((Replica, other.pk), (Attempt, other.attempt_id), repair.find_lost)


@pytest.mark.parametrize("act", ["sweep", "write off"])
def test_an_attempt_comes_before_its_reservation(backup: Caller, act: str) -> None:
    content = some()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "storage.uploads.ingest.record", lambda *args, **more: None
        )  # killed before it
        backup.put(content)
    attempt = Attempt.objects.select_related("vault", "region").get(name=sha(content))
    if act == "sweep":
        Attempt.objects.update(state="doomed")
    works: dict[str, Work] = {
        "sweep": lambda: sweep.forget([attempt]),
        "write off": lambda: write_off.forget_attempts(attempt.region),
    }
    reservation = type(attempt.reservation)
    require_order((Attempt, attempt.pk), (reservation, attempt.reservation.pk), works[act])
