"""What an account may do right now: a pure function of its plan, payments and state."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

READ_ONLY_AFTER = timedelta(days=15)
RESTORE_ONLY_AFTER = timedelta(days=61)
RESTORES_END_AFTER = timedelta(days=91)


@dataclass(frozen=True)
class Terms:
    """What a plan promises. `quota` in bytes; `device_limit` None for no limit."""

    quota: int
    copies: int
    device_limit: int | None
    rooms: bool


@dataclass(frozen=True)
class Standing:
    """How an account stands: whether it is open, and since when it owes."""

    is_open: bool
    unpaid_since: datetime | None = None


@dataclass(frozen=True)
class Entitlements:
    """The answer. `reason` says in one sentence why something is not allowed."""

    quota: int
    copies: int
    device_limit: int | None
    rooms: bool
    may_store: bool
    may_remove: bool
    may_restore: bool
    reason: str = ""


def entitlements(terms: Terms, standing: Standing, now: datetime) -> Entitlements:
    """Return what may be done at `now`.

    A payment that fails takes one right after the other: from day 15 on nothing is stored, from
    day 61 on nothing is removed either, and after day 90 restores end. An account that is closed
    is frozen: it can be restored from, and nothing else.
    """
    rights = _rights(standing, now)
    return Entitlements(
        quota=terms.quota,
        copies=terms.copies,
        device_limit=terms.device_limit,
        rooms=terms.rooms,
        may_store=rights.store,
        may_remove=rights.remove,
        may_restore=rights.restore,
        reason=rights.reason,
    )


class _Rights(NamedTuple):
    store: bool = False
    remove: bool = False
    restore: bool = False
    reason: str = ""


def _rights(standing: Standing, now: datetime) -> _Rights:
    if not standing.is_open:
        reason = "This account is frozen: nothing is stored or removed; restores still work."
        return _Rights(restore=True, reason=reason)
    unpaid = standing.unpaid_since
    if unpaid is None or now - unpaid < READ_ONLY_AFTER:
        return _Rights(store=True, remove=True, restore=True)
    if now - unpaid < RESTORE_ONLY_AFTER:
        reason = (
            "A payment is overdue, so new backups are paused; restores still work. "
            "Please settle it with whoever runs this service."
        )
        return _Rights(remove=True, restore=True, reason=reason)
    if now - unpaid < RESTORES_END_AFTER:
        reason = (
            "A payment has been overdue for more than 60 days: only restores work, until "
            f"{unpaid + RESTORES_END_AFTER:%Y-%m-%d}. "
            "Please settle it with whoever runs this service."
        )
        return _Rights(restore=True, reason=reason)
    return _Rights(reason="This account has been unpaid for more than 90 days.")
