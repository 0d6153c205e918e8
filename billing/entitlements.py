"""What an account may do right now: a pure function of its plan, payments, grants and state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext, gettext_noop

from billing.dunning import Debt, Step

OVER_CAP = gettext_noop(
    "More is stored than the plan has room for, so new backups are paused. Nothing is taken away, "
    "and restoring and removing work. Choose a larger plan on the page Billing, or remove old "
    "snapshots."
)
UNPAID = gettext_noop(
    "A payment is overdue, so new backups are paused; restores still work. "
    "Please settle it on the page Billing."
)
LONG_UNPAID = gettext_noop(
    "A payment has been overdue for more than 60 days: only restores work, until {until:%Y-%m-%d}. "
    "Please settle it on the page Billing."
)
RESTORES_ENDED = gettext_noop(
    "A payment has been overdue for more than 90 days, so restores have ended too. Whoever settles "
    "it on the page Billing before the deletion gets everything back."
)
CLOSED = gettext_noop(
    "This account is closed: nothing is stored or removed, and restores work until it is erased. "
    "The settings say when, under “Your data, and leaving”."
)
ERASED = gettext_noop("This account is erased.")
FROZEN = gettext_noop("This account is frozen: nothing is stored or removed; restores still work.")


@dataclass(frozen=True)
class Terms:
    """What a plan promises. `quota` in bytes; `device_limit` None for no limit."""

    quota: int
    copies: int
    device_limit: int | None
    rooms: bool


@dataclass(frozen=True)
class Extra:
    """What staff granted an account for a while: bytes of quota, days before every step."""

    quota: int
    grace_days: int
    starts_at: datetime
    ends_at: datetime

    def holds(self, now: datetime) -> bool:
        """Return whether it counts at `now`; its end is the first moment at which it does not."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True)
class Held:
    """What an account holds, in bytes: live or reserved, and removed but kept for the grace."""

    counted: int
    removed: int = 0

    def charged(self, quota: int) -> int:
        """Return what counts against a quota: what was removed is free up to its size."""
        return self.counted + max(0, self.removed - quota)


@dataclass(frozen=True)
class Standing:
    """How an account stands: whether it is open, what it owes, what was granted, what it holds.

    Of one that `is_erased` nothing may be had any more; one that `is_closed` is not open.
    `held` is None where the quota is left to whoever stores, who decides it in one UPDATE.
    """

    is_open: bool
    is_closed: bool = False
    is_erased: bool = False
    unpaid_since: datetime | None = None
    retry_at: datetime | None = None
    extras: Sequence[Extra] = ()
    held: Held | None = None

    def debt(self, now: datetime) -> Debt | None:
        """Return what is owed, with the days that are granted at `now`."""
        if self.unpaid_since is None:
            return None
        granted = sum(extra.grace_days for extra in self.extras if extra.holds(now))
        return Debt(self.unpaid_since, self.retry_at, granted)

    def step(self, now: datetime) -> Step:
        """Return how far an account that owes has come."""
        debt = self.debt(now)
        return debt.step(now) if debt else Step.PAID


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

    A payment that fails takes one right after the other (`billing.dunning`). An account that is
    closed or frozen can be restored from, as long as it is not too long unpaid. Whoever holds more
    than the quota stores nothing new; nothing is taken away.
    """
    quota = terms.quota + sum(extra.quota for extra in standing.extras if extra.holds(now))
    rights = _of_payment(standing.debt(now), now)
    if not standing.is_open:
        rights = _of_not_open(standing, rights)
    if rights.store and standing.held is not None and standing.held.charged(quota) > quota:
        rights = rights._replace(store=False, reason=OVER_CAP)
    return Entitlements(
        quota=quota,
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


def _of_payment(debt: Debt | None, now: datetime) -> _Rights:
    step = debt.step(now) if debt else Step.PAID
    if debt is None or step <= Step.GRACE:
        return _Rights(store=True, remove=True, restore=True)
    if step is Step.READ_ONLY:
        return _Rights(remove=True, restore=True, reason=UNPAID)
    if step is Step.RESTORE_ONLY:
        return _Rights(
            restore=True, reason=gettext(LONG_UNPAID).format(until=debt.begins(Step.ENDED))
        )
    return _Rights(reason=RESTORES_ENDED)


def _of_not_open(standing: Standing, paid: _Rights) -> _Rights:
    if standing.is_erased:
        return _Rights(reason=ERASED)
    reason = CLOSED if standing.is_closed else FROZEN
    return _Rights(restore=True, reason=reason) if paid.restore else paid
