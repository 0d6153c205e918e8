"""What becomes of a closed account, and of one that nobody uses, day by day: pure functions.

A closed account is frozen for 30 days, in which its files can be restored and its owner can open it
again; it is told at once, and 7 days and 1 day before the end. Then it goes from step to step, in
the order in which `Closing.Step` has them, and none is ever gone back.

An account on the free plan that nobody has used for 12 months is closed in the same way. It is told
60, 30 and 7 days before, and never closed before the days that it was told have passed, whoever was
late. Days are spans of 24 hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import Closing

Step = Closing.Step
DAY = timedelta(days=1)
COOLING_OFF = 30 * DAY
REMINDERS = (7, 1)  # days before the end of the cooling-off
INACTIVE = 365 * DAY
INACTIVE_NOTICES = (60, 30, 7)  # days before it is closed
ORDER = tuple(Step)
CAN_REOPEN = (Step.SUBSCRIPTION, Step.COOLING)


def following(step: str) -> Step:
    """Return the step behind a step. Raises IndexError behind the last one."""
    return ORDER[ORDER.index(Step(step)) + 1]


def may_erase(
    closing: Closing, now: datetime, *, grace_began_before: datetime, everything: bool = True
) -> bool:
    """Return whether the erasure may begin: told to, or the whole cooling-off was seen to pass.

    `grace_began_before` is the latest moment since which that much time was observed, whatever the
    clock says. `everything` is false while nothing may be destroyed.
    """
    if closing.step != Step.COOLING or not everything:
        return False
    seen = closing.is_hastened or closing.closed_at <= grace_began_before
    return seen and now >= closing.erase_after


def may_reopen(closing: Closing, now: datetime) -> bool:
    """Return whether the account can still be opened again.

    One that was closed for a debt can be until its erasure begins, however late that is: nobody who
    has paid is erased.
    """
    if closing.step not in CAN_REOPEN or closing.is_hastened:
        return False
    return now < closing.erase_after or closing.reason == Closing.Reason.UNPAID


def reminder(closing: Closing, now: datetime) -> int | None:
    """Return which reminder is due, as days before the end; None for none.

    Of several that were missed it is the last one.
    """
    if not may_reopen(closing, now):
        return None
    due = [days for days in REMINDERS if now >= closing.erase_after - days * DAY]
    return due[-1] if due else None


@dataclass(frozen=True)
class Unused:
    """What is due for an account that nobody uses: a notice (which, from 0), or its closing."""

    closes_at: datetime
    notice: int | None = None
    closes: bool = False


def unused(last_used: datetime, told: Sequence[datetime], now: datetime) -> Unused:
    """Return what is due for an account last used then, and told of it at these moments.

    Each notice is followed by the days that it names, so one that came late puts off the rest.
    """
    closes_at = max(
        [
            last_used + INACTIVE,
            *(at + days * DAY for at, days in zip(told, INACTIVE_NOTICES, strict=False)),
        ]
    )
    if len(told) >= len(INACTIVE_NOTICES):
        return Unused(closes_at, closes=now >= closes_at)
    days = INACTIVE_NOTICES[len(told)]
    if now < closes_at - days * DAY:
        return Unused(closes_at)
    return Unused(max(closes_at, now + days * DAY), notice=len(told))
