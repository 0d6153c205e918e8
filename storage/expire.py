"""Deletion, slowly: tombstone -> grace -> purge -> sweep.

A DELETE only writes a tombstone. After the grace a purge takes the object off the rows, and the
sweep removes bytes that no row points to. Every step is on record in the journal, and an upload
of the same object at any moment brings it back.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models, transaction

from backup_service import clock
from storage import copies, fence, lifetimes, locks, quota, row_locks, rows, sequence
from storage.access import Access
from storage.errors import UnknownError
from storage.models import (
    Attempt,
    Credential,
    JournalEntry,
    Region,
    Replica,
    StoredObject,
    Vault,
)
from storage.models.vaults import bump_epoch
from storage.names import ObjectName, ObjectType
from storage.regions import store_of
from storage.regions.base import RegionError

log = logging.getLogger(__name__)
BATCH = 200
STAGING_AGE = timedelta(hours=24)


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
        held = StoredObject.objects.filter(vault=vault, type=name.type, name=name.name).first()
        if held is None:
            raise UnknownError(f"This vault has no object {name}.")
        if held.state in {StoredObject.State.LIVE, StoredObject.State.LOST}:
            _tombstone(vault, held, by=access.credential)


def clear(vault: Vault) -> None:
    """Take everything out of a vault whose row is locked; its bytes stay for the grace period."""
    there = [StoredObject.State.LIVE, StoredObject.State.LOST]
    held = StoredObject.objects.filter(vault=vault, state__in=there)
    row_locks.hold(held)
    for one in held.order_by("pk"):
        _tombstone(vault, one, by=None)


def _tombstone(vault: Vault, held: StoredObject, *, by: Credential | None) -> None:
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
        fence.removed(by, kind, step.number)
    if kind in fence.GUARDED:
        bump_epoch(vault.pk)


def discard_leftover_keys(access: Access) -> int:
    """Tombstone the keys of a set-up that never got as far as a config; return how many.

    Raises ForbiddenError unless the vault may still be set up.
    """
    access.require_setup_right()
    with transaction.atomic():
        vault = sequence.lock(access.vault)
        live = StoredObject.objects.filter(vault=vault, state=StoredObject.State.LIVE)
        if live.filter(type=ObjectType.CONFIG).exists():
            return 0
        row_locks.hold(live.filter(type=ObjectType.KEY))
        keys = list(live.filter(type=ObjectType.KEY))
        for key in keys:
            _tombstone(vault, key, by=access.credential)
    return len(keys)


def due_for_purge(now: datetime) -> models.QuerySet[StoredObject]:
    """Return the objects whose grace has ended, and those whose purge was interrupted."""
    return StoredObject.objects.filter(
        state__in=[StoredObject.State.TOMBSTONED, StoredObject.State.PURGING],
        tombstoned_at__lte=now,
    ).order_by("tombstoned_at")


def purge(*, grace_ended_before: datetime | None = None) -> int:
    """Take expired objects off the rows and doom their bytes; return how many went."""
    before = grace_ended_before or clock.now() - settings.GRACE
    purged = 0
    for pk in list(due_for_purge(before).values_list("pk", flat=True)):
        purged += _begin_purge(pk, before)
        _finish_purge(pk)
    return purged


@transaction.atomic
def _begin_purge(pk: int, before: datetime) -> bool:
    """TOMBSTONED -> PURGING, with its attempts doomed and the journal written, or nothing."""
    held = StoredObject.objects.select_related("vault").get(pk=pk)
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
    Replica.objects.filter(pk__in=row_locks.hold(Replica.objects.filter(object=held))).update(
        attempt=None,
        state=Replica.State.PENDING,
        verified_at=None,
        lease_token="",
        since=now,
        next_attempt_at=now,
    )
    copies.doom(attempts)
    return True


@transaction.atomic
def _finish_purge(pk: int) -> None:
    """Remove the rows of an object that is still PURGING; one that was revived stays."""
    held = StoredObject.objects.filter(pk=pk, state=StoredObject.State.PURGING).first()
    if held is None:
        return
    vault = sequence.lock(Vault.objects.get(pk=held.vault_id))
    still = StoredObject.objects.filter(pk=pk, state=StoredObject.State.PURGING)
    if not row_locks.hold(still):
        return
    copies_left = row_locks.hold(Replica.objects.filter(object_id=pk))
    Replica.objects.filter(pk__in=copies_left).delete()
    still.delete()
    quota.book(vault.account_id, tombstoned=-quota.cost(held.size))


def sweep(*, doomed_before: datetime | None = None) -> int:
    """Give up uploads that took too long, and remove doomed bytes; return how many went.

    A region that cannot be used keeps its doomed bytes on the list.
    """
    now = clock.now()
    _give_up_late_uploads(now)
    _doom_old_quarantine(now)
    swept = 0
    doomed = Attempt.objects.filter(
        state=Attempt.State.DOOMED, due_at__lte=doomed_before or now
    ).order_by("due_at")
    for attempt in rows.steadily(doomed.select_related("vault", "region"), BATCH):
        swept += _remove_bytes(attempt)
    return swept


def _give_up_late_uploads(before: datetime) -> None:
    late = Attempt.objects.filter(state=Attempt.State.WRITING, due_at__lte=before)
    for pk in list(late.values_list("pk", flat=True)):
        Attempt.objects.filter(pk=pk, state=Attempt.State.WRITING).update(
            state=Attempt.State.DOOMED, due_at=clock.now() + copies.DOOM_DELAY
        )


def _doom_old_quarantine(now: datetime) -> None:
    """Let damaged bytes go after a grace of their own, unless their object has nothing else."""
    old = Attempt.objects.filter(state=Attempt.State.QUARANTINED, due_at__lte=now)
    lost = StoredObject.objects.filter(
        vault=models.OuterRef("vault"),
        type=models.OuterRef("type"),
        name=models.OuterRef("name"),
        state=StoredObject.State.LOST,
    )
    copies.doom(old.exclude(models.Exists(lost)))


def sweep_staging() -> int:
    """Remove what killed processes left half-written in the regions; return how many files."""
    swept = 0
    for region in Region.objects.all():
        try:
            swept += store_of(region).sweep_staging(STAGING_AGE.total_seconds())
        except RegionError as error:
            log.warning("staging not swept: %s", error)
    return swept


def _remove_bytes(attempt: Attempt) -> bool:
    try:
        store_of(attempt.region).delete(attempt.key)
    except RegionError as error:
        log.warning("doomed bytes stay for now: %s", error)
        return False
    with transaction.atomic():
        row_locks.hold(Attempt.objects.filter(pk=attempt.pk))
        quota.settle(attempt)
        deleted, _ = Attempt.objects.filter(
            pk=attempt.pk, state=Attempt.State.DOOMED, replica__isnull=True
        ).delete()
    return bool(deleted)
