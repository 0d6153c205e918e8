"""How an account stands, for people and programs: one state, one sentence, what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from accounts.models import Account
from backup_service import clock
from billing.actions import plan_of, standing_of, subscription_of
from billing.dunning import Debt, Step
from billing.entitlements import Entitlements, Extra, Standing, entitlements
from billing.models import Plan, Subscription


class State(StrEnum):
    """What an account's standing is called, for programs."""

    NORMAL = "normal"
    GRACE = "grace"
    OVER_CAP = "over-cap"
    READ_ONLY = "read-only"
    RESTORE_ONLY = "restore-only"
    ENDED = "ended"
    FROZEN = "frozen"
    CLOSED = "closed"


_OF_STEP = {
    Step.GRACE: State.GRACE,
    Step.READ_ONLY: State.READ_ONLY,
    Step.RESTORE_ONLY: State.RESTORE_ONLY,
    Step.ENDED: State.ENDED,
}


@dataclass(frozen=True)
class AccountState:
    """How an account stands. `used` and `quota` in bytes; `debt` None while nothing is owed."""

    plan: Plan
    subscription: Subscription | None
    allowed: Entitlements
    state: State
    used: int
    debt: Debt | None
    extras: Sequence[Extra]
    deletion_due: datetime | None

    @property
    def quota(self) -> int:
        """Bytes that there is room for, with what was granted."""
        return self.allowed.quota

    @property
    def percent(self) -> int:
        """How full it is, in whole per cent."""
        return round(100 * self.used / max(1, self.quota))

    @property
    def read_only_from(self) -> datetime | None:
        """When new backups are paused, if nobody pays."""
        return self.debt.begins(Step.READ_ONLY) if self.debt else None

    @property
    def restore_only_from(self) -> datetime | None:
        """When nothing but restoring is left, if nobody pays."""
        return self.debt.begins(Step.RESTORE_ONLY) if self.debt else None

    @property
    def restores_end(self) -> datetime | None:
        """When restores end, if nobody pays."""
        return self.debt.begins(Step.ENDED) if self.debt else None


def state_of(account: Account) -> AccountState:
    """Return how an account stands now."""
    subscription, now = subscription_of(account), clock.now()
    plan = plan_of(subscription)
    standing = standing_of(account, subscription, now, with_held=True)
    allowed = entitlements(plan.terms, standing, now)
    debt = standing.debt(now)
    announced = subscription.deletion_announced_at if subscription else None
    return AccountState(
        plan=plan,
        subscription=subscription,
        allowed=allowed,
        state=_state(account, standing, allowed, now),
        used=standing.held.charged(allowed.quota) if standing.held else 0,
        debt=debt,
        extras=standing.extras,
        deletion_due=debt.deletion_due(announced) if debt else None,
    )


def as_values(found: AccountState) -> dict[str, object]:
    """Return a state for programs: bytes as numbers, moments in ISO 8601."""
    row = found.subscription
    return {
        "plan": found.plan.slug,
        "quota": found.quota,
        "used": found.used,
        "state": found.state.value,
        "may_store": found.allowed.may_store,
        "may_remove": found.allowed.may_remove,
        "may_restore": found.allowed.may_restore,
        "reason": found.allowed.reason,
        "interval": row.interval if row else "",
        "period_ends_at": _iso(row.period_ends_at if row else None),
        "cancels_at_period_end": bool(row and row.cancels_at_period_end),
        "scheduled_plan": row.scheduled_plan.slug if row and row.scheduled_plan else "",
        "unpaid_since": _iso(found.debt.since if found.debt else None),
        "read_only_from": _iso(found.read_only_from),
        "restore_only_from": _iso(found.restore_only_from),
        "restores_end": _iso(found.restores_end),
        "deletion_announced_at": _iso(row.deletion_announced_at if row else None),
        "deletion_due": _iso(found.deletion_due),
        "is_disputed": bool(row and row.is_disputed),
        "stripe_customer": row.stripe_customer if row else "",
        "stripe_subscription": row.stripe_subscription if row else "",
        "stripe_status": row.stripe_status if row else "",
        "synced_at": _iso(row.synced_at if row else None),
        "granted_bytes": sum(extra.quota for extra in found.extras),
        "granted_days": sum(extra.grace_days for extra in found.extras),
    }


def _state(account: Account, standing: Standing, allowed: Entitlements, now: datetime) -> State:
    if account.is_closed:
        return State.CLOSED
    step = standing.step(now)
    if step is Step.ENDED:
        return State.ENDED
    if not standing.is_open:
        return State.FROZEN
    if step >= Step.READ_ONLY:
        return _OF_STEP[step]
    if not allowed.may_store:
        return State.OVER_CAP
    return _OF_STEP.get(step, State.NORMAL)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
