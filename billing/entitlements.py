"""What an account may do right now: a pure function of its plan, payments and state."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
    may_restore: bool
    reason: str = ""


def entitlements(terms: Terms, standing: Standing, now: datetime) -> Entitlements:
    """Return what may be done at `now`. Restores outlive payment by 90 days."""
    may_store, may_restore, reason = _standing(standing, now)
    return Entitlements(
        quota=terms.quota,
        copies=terms.copies,
        device_limit=terms.device_limit,
        rooms=terms.rooms,
        may_store=may_store,
        may_restore=may_restore,
        reason=reason,
    )


def _standing(standing: Standing, now: datetime) -> tuple[bool, bool, str]:
    if not standing.is_open:
        return False, True, "This account is closed to new backups; restores still work."
    if standing.unpaid_since is None:
        return True, True, ""
    owed = now - standing.unpaid_since
    if owed >= RESTORES_END_AFTER:
        return False, False, "This account has been unpaid for more than 90 days."
    if owed >= READ_ONLY_AFTER:
        reason = (
            "A payment is overdue, so new backups are paused; restores still work. "
            "Please update the payment details on the website."
        )
        return False, True, reason
    return True, True, ""
