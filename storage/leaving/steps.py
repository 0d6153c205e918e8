"""The steps of a closed account on its way to being erased, as far as vaults and rows go.

Each is given a bounded time, may be broken off anywhere, and is repeated until there is nothing
left to do: what is left is read from the rows, never remembered. What payments want is in
`billing/closing.py`.
"""

import time
from datetime import timedelta

from accounts.closing import plan
from accounts.closing.letters import ERASED
from accounts.closing.work import Doing
from accounts.models import Closing, Delivery
from accounts.notifications.notify import notify
from backup_service import clock
from billing.closing import begin_erasure
from storage.database import elapsed_time
from storage.deletion import guard, purge, tombstones
from storage.leaving import keys, rows
from storage.models import Attempt, Region, StoredObject, Vault
from storage.objects import replicas

AGAIN = timedelta(minutes=1)
AT_ONCE = 200  # objects in a transaction
LOOK = timedelta(hours=1)  # how often a closed account is looked at at least
# What lies there goes when the region is back, and is not waited for.
AWAY = (Region.Status.OFFLINE, Region.Status.STRUCK, Region.Status.REMOVED)


def cool(row: Closing, until: float) -> timedelta | None:
    """Wait until the cooling-off is over; then take the step from which nothing comes back.

    Raises PaymentError, ClosingError.
    """
    now = clock.now()
    may = plan.may_erase(row, now, grace_began_before=elapsed_time.grace_began_before())
    if may and _may_destroy():
        begin_erasure(row)
        return timedelta()
    return min(max(row.erase_after - now, AGAIN), LOOK)


def destroy_keys(row: Closing, until: float) -> timedelta | None:
    """End every way into the vaults, and destroy their keys and configs."""
    if not _may_destroy():
        return AGAIN
    for vault in keys.vaults_to_lock_up(row.account_id):
        keys.lock_up(vault)
        keys.destroy(vault)
        if time.monotonic() >= until:
            return timedelta()
    return None


def remove_objects(row: Closing, until: float) -> timedelta | None:
    """Remove all that the vaults hold, and purge it as far as a day's share goes."""
    if not _may_destroy():
        return AGAIN
    held = StoredObject.objects.filter(vault__account=row.account_id)
    while vault := Vault.objects.filter(pk__in=held.current().values("vault")).first():
        tombstones.clear_some(vault, most=AT_ONCE)
        if time.monotonic() >= until:
            return timedelta()
    gone = purge.purge_account(row.account_id, seconds=max(0.0, until - time.monotonic()))
    if not held.exists():
        return None
    return timedelta() if gone else AGAIN


def await_bytes(row: Closing, until: float) -> timedelta | None:
    """Wait until the sweep has removed the last bytes."""
    attempts = Attempt.objects.filter(vault__account=row.account_id)
    replicas.doom(attempts.filter(state=Attempt.State.QUARANTINED))
    return AGAIN if attempts.exclude(region__status__in=AWAY).exists() else None


def write_last(row: Closing, until: float) -> timedelta | None:
    """Write to the owners and admins for the last time, and wait until that is sent."""
    key = f"erased:{row.closed_at:%Y%m%dT%H%M%SZ}"
    notify(row.account, ERASED, key=key, name=row.account.name)
    mails = Delivery.objects.waiting().filter(
        notice__account=row.account_id, notice__key=key, endpoint=None
    )
    return AGAIN if mails.exists() else None


def erase_rows(row: Closing, until: float) -> timedelta | None:
    """Erase names, addresses and people, until only what says nothing of anybody is left."""
    return None if rows.erase(row.account, until) else timedelta()


STEPS: dict[Closing.Step, Doing] = {
    Closing.Step.COOLING: cool,
    Closing.Step.KEYS: destroy_keys,
    Closing.Step.OBJECTS: remove_objects,
    Closing.Step.BYTES: await_bytes,
    Closing.Step.LETTER: write_last,
    Closing.Step.PERSONS: erase_rows,
}


def _may_destroy() -> bool:
    """Return whether the catalogue and the clock may be trusted, and every region says so."""
    try:
        guard.require_trust(everywhere=True)
    except guard.InDoubtError:
        return False
    return True
