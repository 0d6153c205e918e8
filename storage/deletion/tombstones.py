"""Deletion: tombstone, grace period, purge, sweep.

A DELETE only writes a tombstone. After the grace a purge takes the object off the rows, and the
sweep (`deletion/sweep.py`) removes bytes that no row points to. Purges take turns of bounded time,
in which every account has an equal share. Every step is on record in the journal, and an upload of
the same object at any moment brings it back.
"""

import math
import time
from datetime import datetime

from django.db import models, transaction

from backup_service import clock
from storage.database import elapsed_time, lock_order, single_runner
from storage.deletion import fair_shares, guard
from storage.deletion.purge_limits import PurgeLimits
from storage.errors import UnknownError
from storage.models import (
    Attempt,
    Credential,
    JournalEntry,
    Replica,
    StoredObject,
    Vault,
)
from storage.object_names import ObjectName, ObjectType
from storage.objects import replicas
from storage.vaults import index_freshness, lifetimes, locks, quota, sequence
from storage.vaults.access import Access

BATCH = 200


def remove(access: Access, name: ObjectName) -> None:
    """Take an object out of the vault; its bytes stay for the grace period.

    Removing it again is fine. Raises ForbiddenError, or UnknownError if it never was there.
    """
    access.require_remove(name.type)
    if name.type is ObjectType.LOCK:
        locks.remove(access, name)
        return
    with transaction.atomic():
        vault = sequence.lock(access.vault)
        held = StoredObject.objects.named(vault, name).first()
        if held is None:
            raise UnknownError(f"This vault has no object {name}.")
        if held.state in StoredObject.CURRENT:
            tombstone(vault, held, by=access.credential)


def clear(vault: Vault) -> None:
    """Take everything out of a vault whose row is locked; its bytes stay for the grace period."""
    held = StoredObject.objects.current().filter(vault=vault)
    lock_order.hold(held)
    for one in held.order_by("pk"):
        tombstone(vault, one, by=None)


def tombstone(vault: Vault, held: StoredObject, *, by: Credential | None) -> None:
    """Let an object be gone from now on; its bytes stay for the grace. The vault is locked."""
    step = sequence.tick(vault)
    StoredObject.objects.filter(pk=held.pk).update(
        state=StoredObject.State.TOMBSTONED,
        tombstoned_at=step.at,
        tombstoned_by=by,
    )
    lifetimes.end(held, step)
    JournalEntry.note(JournalEntry.Kind.TOMBSTONE, held, sequence=step.number, by=by)
    cost = quota.cost(held.size)
    quota.book(vault.account_id, live=-cost, tombstoned=cost)
    kind = ObjectType(held.type)
    if by is not None:
        index_freshness.removed(by, kind, step.number)
    if kind in index_freshness.GUARDED:
        Vault.bump_epoch(vault.pk)


def discard_leftover_keys(access: Access) -> int:
    """Tombstone the keys of a set-up that never got as far as a config; return how many.

    Raises ForbiddenError unless the vault may still be set up.
    """
    access.require_setup_right()
    with transaction.atomic():
        vault = sequence.lock(access.vault)
        live = StoredObject.objects.live().filter(vault=vault)
        if live.filter(type=ObjectType.CONFIG).exists():
            return 0
        lock_order.hold(live.filter(type=ObjectType.KEY))
        keys = list(live.filter(type=ObjectType.KEY))
        for key in keys:
            tombstone(vault, key, by=access.credential)
    return len(keys)


def due_for_purge(now: datetime) -> models.QuerySet[StoredObject]:
    """Return the objects whose grace has ended, and those whose purge was interrupted."""
    return StoredObject.objects.removed().filter(tombstoned_at__lte=now).order_by("tombstoned_at")


def is_due() -> bool:
    """Whether the grace of something has ended."""
    return due_for_purge(elapsed_time.grace_began_before()).exists()


def purge(*, grace_ended_before: datetime | None = None, seconds: float = math.inf) -> int:
    """Take expired objects off the rows and doom their bytes; return how many went.

    Nothing is done while another worker is at it. Without `grace_ended_before` no more goes than a
    day's share. Raises DoubtfulError while the catalogue or the
    clock is in doubt.
    """
    guard.require_no_doubt()
    until = time.monotonic() + seconds
    before = grace_ended_before or elapsed_time.grace_began_before()
    bounds = PurgeLimits() if grace_ended_before is None else None
    with single_runner.alone("purge") as is_mine:
        return _purge(before, until, bounds) if is_mine else 0


def _purge(before: datetime, until: float, bounds: PurgeLimits | None = None) -> int:
    purged, due = 0, due_for_purge(before)

    def take(account: int, most: int) -> list[tuple[int, int]]:
        most = min(most, bounds.room(account)) if bounds else most
        mine = due.filter(vault__account=account).values_list("pk", "vault__account")
        return list(mine[:most])

    accounts = due.order_by().values_list("vault__account", flat=True).distinct()
    for batch in fair_shares.fair(list(accounts), take, BATCH):
        for pk, account in batch:
            if time.monotonic() >= until:
                return purged
            if _begin_purge(pk, before):
                purged += 1
                if bounds:
                    bounds.count(account)
            _finish_purge(pk)
    return purged


@transaction.atomic
def _begin_purge(pk: int, before: datetime) -> bool:
    """TOMBSTONED -> PURGING, with its attempts doomed and the journal written, or nothing."""
    held = StoredObject.objects.select_related("vault").filter(pk=pk).first()
    if held is None:
        return False  # somebody else has purged it
    vault = sequence.lock(held.vault)
    began = StoredObject.objects.filter(
        pk=pk, state=StoredObject.State.TOMBSTONED, tombstoned_at__lte=before
    ).update(state=StoredObject.State.PURGING)
    if not began:
        return False
    attempts = Attempt.objects.filter(vault=vault, type=held.type, name=held.name).exclude(
        state=Attempt.State.WRITING
    )
    JournalEntry.note(
        JournalEntry.Kind.PURGE,
        held,
        sequence=sequence.tick(vault).number,
        attempts=[str(attempt.key) for attempt in attempts.select_related("vault")],
    )
    now = clock.now()
    Replica.objects.filter(pk__in=lock_order.hold(Replica.objects.filter(object=held))).update(
        attempt=None,
        state=Replica.State.PENDING,
        verified_at=None,
        lease_token="",
        since=now,
        next_attempt_at=now,
    )
    replicas.doom(attempts)
    return True


@transaction.atomic
def _finish_purge(pk: int) -> None:
    """Remove the rows of an object that is still PURGING; one that was revived stays."""
    held = StoredObject.objects.filter(pk=pk, state=StoredObject.State.PURGING).first()
    if held is None:
        return
    vault = sequence.lock(Vault.objects.get(pk=held.vault_id))
    still = StoredObject.objects.filter(pk=pk, state=StoredObject.State.PURGING)
    if not lock_order.hold(still):
        return
    copies_left = lock_order.hold(Replica.objects.filter(object_id=pk))
    Replica.objects.filter(pk__in=copies_left).delete()
    still.delete()
    quota.book(vault.account_id, tombstoned=-quota.cost(held.size))
