"""What becomes of an account that does not pay, day by day, and what it is told: pure functions.

Days are spans of 24 hours from the first attempt at the payment that failed, so that no month, leap
day or change of the clocks makes one longer. "Day 15" begins 15 times 24 hours after it.

| from day | step | what it means |
|---|---|---|
| 0 | GRACE | nothing changes |
| 15 | READ_ONLY | nothing new is stored; removing and restoring go on |
| 61 | RESTORE_ONLY | nothing is removed either; the deletion is announced |
| 91 | ENDED | restores end; the account is closed 31 days after that was announced |

While Stripe still has an attempt planned, READ_ONLY waits for it, at most until day 61. Days that
staff grant come on top of every step. Day 61 is also the day of an act: the deletion is announced,
and nothing is ever deleted that was not. A service that was down, or could not send the notice, so
deletes later, never sooner.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

DAY = timedelta(days=1)
READ_ONLY_AFTER = 15 * DAY
RESTORE_ONLY_AFTER = 61 * DAY
RESTORES_END_AFTER = 91 * DAY
DELETION_NOTICE = 31 * DAY
OVER_CAP_NOTICE = 31 * DAY


class Step(IntEnum):
    """How far an account has come, the best first."""

    PAID = 0
    GRACE = 1
    READ_ONLY = 2
    RESTORE_ONLY = 3
    ENDED = 4


@dataclass(frozen=True)
class Debt:
    """A payment that failed: when first, when Stripe tries again, days that staff granted."""

    since: datetime
    retry_at: datetime | None = None
    extra_days: int = 0

    def begins(self, step: Step) -> datetime:
        """Return the moment from which a step (GRACE to ENDED) holds."""
        late = self.since + self.extra_days * DAY
        if step <= Step.GRACE:
            return self.since
        if step is Step.READ_ONLY:
            planned = late + READ_ONLY_AFTER
            waiting = max(planned, self.retry_at) if self.retry_at else planned
            return min(waiting, late + RESTORE_ONLY_AFTER)
        return late + (RESTORE_ONLY_AFTER if step is Step.RESTORE_ONLY else RESTORES_END_AFTER)

    def step(self, now: datetime) -> Step:
        """Return the step that holds at `now`."""
        for step in (Step.ENDED, Step.RESTORE_ONLY, Step.READ_ONLY):
            if now >= self.begins(step):
                return step
        return Step.GRACE

    def deletion_due(self, announced_at: datetime | None) -> datetime | None:
        """Return when everything may be deleted; None as long as nobody was told."""
        if announced_at is None:
            return None
        return max(self.begins(Step.ENDED), announced_at + DELETION_NOTICE)


class NoticeKind(StrEnum):
    """What customers are told about money and room."""

    PAYMENT_FAILED = "payment-failed"
    READ_ONLY = "payment-read-only"
    DELETION_ANNOUNCED = "payment-deletion-announced"
    RESTORE_ONLY = "payment-restore-only"
    RESTORES_ENDED = "payment-restores-ended"
    OVER_CAP = "over-cap"


@dataclass(frozen=True)
class Notice:
    """Something to tell an account. The same `key` is never told to it twice."""

    kind: NoticeKind
    key: str
    due_at: datetime


# Days after a step has begun on which it is told, and told again.
_TOLD = {
    Step.GRACE: (NoticeKind.PAYMENT_FAILED, (0, 7, 13)),
    Step.READ_ONLY: (NoticeKind.READ_ONLY, (0, 14, 28, 42)),
    Step.RESTORE_ONLY: (NoticeKind.RESTORE_ONLY, (7, 14, 21, 28)),
    Step.ENDED: (NoticeKind.RESTORES_ENDED, (0,)),
}
_OVER_CAP_DAYS = (0, 7, 14, 28)


def notices_of(debt: Debt, now: datetime, *, announced_at: datetime | None = None) -> list[Notice]:
    """Return what has to have been told by `now`: the newest reminder, and the announcement.

    Reminders that were missed while nobody could send them are not made up for; the announcement of
    the deletion is, since nothing is deleted without it.
    """
    step = debt.step(now)
    told = [notice for notice in _reminders(debt, step) if notice.due_at <= now]
    due = told[-1:]
    if step >= Step.RESTORE_ONLY and announced_at is None:
        begun = debt.begins(Step.RESTORE_ONLY)
        due.append(_notice(NoticeKind.DELETION_ANNOUNCED, begun))
    return due


def over_cap_notices(since: datetime, now: datetime) -> list[Notice]:
    """Return what an account that holds more than its plan has to have been told by `now`.

    `since` is the moment from which the smaller quota holds. After 31 days nothing else happens:
    the account stays read-only, and keeps everything.
    """
    if now >= since + OVER_CAP_NOTICE:
        return []
    told = [_notice(NoticeKind.OVER_CAP, since + days * DAY) for days in _OVER_CAP_DAYS]
    return [notice for notice in told if notice.due_at <= now][-1:]


def _reminders(debt: Debt, step: Step) -> list[Notice]:
    kind, days = _TOLD[step]
    begun = debt.begins(step)
    return [_notice(kind, begun + after * DAY) for after in days]


def _notice(kind: NoticeKind, due_at: datetime) -> Notice:
    # A step that staff put off is told again when it comes, since its moment is another one.
    return Notice(kind, f"{kind}:{due_at:%Y%m%dT%H%M%SZ}", due_at)
