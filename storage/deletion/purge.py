"""Purges removed objects whose grace period has ended: takes them off the rows, dooms their bytes.

One worker purges at a time, in runs of bounded time, in which every account has an equal share.
Each object goes in two transactions, so that an interrupted purge is finished by the next one, and
an upload of the same object between them brings it back. The sweep removes the bytes.
"""

import math
import time
from datetime import datetime, timedelta

from django.db import models

from backup_service import clock
from storage.counters import tally
from storage.database import elapsed_time, lock_order, single_runner
from storage.deletion import fair_shares, guard
from storage.deletion.purge_limits import PurgeLimits
from storage.models import Attempt, JournalEntry, Replica, StoredObject, Vault
from storage.objects import replicas
from storage.vaults import quota, sequence

BATCH = 200  # objects
AHEAD = timedelta(days=1)  # by which a vault's count may be ahead of the clock


def purge(*, grace_ended_before: datetime | None = None, seconds: float = math.inf) -> int:
    """Purge objects for up to `seconds`; return how many went.

    Does nothing while another worker purges. Without `grace_ended_before` no more goes than a
    day's share. Raises InDoubtError while the catalogue or the clock is in doubt.
    """
    guard.require_no_doubt()
    until = time.monotonic() + seconds
    before = grace_ended_before or elapsed_time.grace_began_before()
    limits = PurgeLimits() if grace_ended_before is None else None
    with single_runner.alone("purge") as is_mine:
        return purge_removed(before, until, limits) if is_mine else 0


def purge_account(account: int, *, seconds: float) -> int:
    """Purge what an account has removed, without its grace: it was given before, as a whole.

    The day's share bounds this as any purge. Return how many objects went; none while another
    worker purges. Raises InDoubtError while the catalogue or the clock is in doubt.
    """
    guard.require_no_doubt()
    until = time.monotonic() + seconds
    with single_runner.alone("purge") as is_mine:
        if not is_mine:
            return 0
        before = clock.database_now() + AHEAD
        return purge_removed(before, until, PurgeLimits(), only=account)


def due(now: datetime) -> models.QuerySet[StoredObject]:
    """Return the objects whose grace has ended, and those whose purge was interrupted."""
    return StoredObject.objects.removed().filter(tombstoned_at__lte=now).order_by("tombstoned_at")


def is_due() -> bool:
    """Return True if the grace of something has ended."""
    return due(elapsed_time.grace_began_before()).exists()


def purge_removed(
    before: datetime, until: float, limits: PurgeLimits | None = None, *, only: int | None = None
) -> int:
    """Purge what was removed `before`, whoever else may do so, `until` a monotonic time.

    With `only` it is that account's.
    """
    purged, removed = 0, due(before)
    if only is not None:
        removed = removed.filter(vault__account=only)

    def take(account: int, most: int) -> list[tuple[int, int]]:
        most = min(most, limits.room(account)) if limits else most
        mine = removed.filter(vault__account=account).values_list("pk", "vault__account")
        return list(mine[:most])

    accounts = removed.order_by().values_list("vault__account", flat=True).distinct()
    for batch in fair_shares.fair(list(accounts), take, BATCH):
        for pk, account in batch:
            if time.monotonic() >= until:
                return purged
            if begin(pk, before):
                purged += 1
                if limits:
                    limits.count(account)
            finish(pk)
    return purged


@tally.counting()
def begin(pk: int, before: datetime) -> bool:
    """Move an object from TOMBSTONED to PURGING, if it was removed `before`.

    Its attempts are doomed and the journal is written in the same transaction. Returns True if
    this call did so.
    """
    obj = StoredObject.objects.select_related("vault").filter(pk=pk).first()
    if obj is None:
        return False  # somebody else has purged it
    vault = sequence.lock(obj.vault)
    due_now = StoredObject.objects.filter(
        pk=pk, state=StoredObject.State.TOMBSTONED, tombstoned_at__lte=before
    )
    if not lock_order.lock(due_now):
        return False
    with tally.changing([pk]):
        _begin(obj, vault)
    return True


def _begin(obj: StoredObject, vault: Vault) -> None:
    StoredObject.objects.filter(pk=obj.pk).update(state=StoredObject.State.PURGING)
    attempts = Attempt.objects.filter(vault=vault, type=obj.type, name=obj.name).exclude(
        state=Attempt.State.WRITING
    )
    JournalEntry.note(
        JournalEntry.Kind.PURGE,
        obj,
        sequence=sequence.tick(vault).number,
        attempts=[str(attempt.key) for attempt in attempts.select_related("vault")],
    )
    now = clock.now()
    Replica.objects.filter(pk__in=lock_order.lock(Replica.objects.filter(object=obj))).update(
        attempt=None,
        state=Replica.State.PENDING,
        verified_at=None,
        lease_token="",
        since=now,
        next_attempt_at=now,
    )
    replicas.doom(attempts)


@tally.counting()
def finish(pk: int) -> None:
    """Delete the rows of an object that is still PURGING; one that was revived stays."""
    obj = StoredObject.objects.filter(pk=pk, state=StoredObject.State.PURGING).first()
    if obj is None:
        return
    vault = sequence.lock(Vault.objects.get(pk=obj.vault_id))
    still = StoredObject.objects.filter(pk=pk, state=StoredObject.State.PURGING)
    if not lock_order.lock(still):
        return
    left = lock_order.lock(Replica.objects.filter(object_id=pk))
    with tally.changing([pk]):
        Replica.objects.filter(pk__in=left).delete()
        still.delete()
    quota.book(vault.account_id, tombstoned=-quota.cost(obj.size))
