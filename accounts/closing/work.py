"""Hands out the steps of closed accounts: the rows are the list, a claim is one conditional UPDATE.

A claim lasts for two minutes, and a step that was not ended by then is somebody else's. So whoever
is killed in the middle of one is followed by another worker, and every step may be repeated.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from accounts.closing.plan import following
from accounts.models import Closing
from backup_service import clock

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 12  # in vain, over about half a day; then the row waits for staff
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=3)
TURN = 4.0  # seconds for one account
_TRIED = 20

# Gets the row and a monotonic time to end by. Returns when to go on, or None when it is done.
Doing = Callable[[Closing, float], timedelta | None]


def work_off(doings: Mapping[Closing.Step, Doing], *, seconds: float) -> int:
    """Do steps that are due, for a bounded time, each account in turn; return how many turns."""
    end, turns = time.monotonic() + seconds, 0
    while time.monotonic() < end and (row := _claim(list(doings))) is not None:
        _turn(row, doings[Closing.Step(row.step)], min(end, time.monotonic() + TURN))
        turns += 1
    return turns


def unpark(row: Closing) -> None:
    """Have a step that was given up tried again."""
    again = {"parked_at": None, "attempts": 0, "next_attempt_at": clock.now()}
    Closing.objects.filter(pk=row.pk).update(**again)


def _turn(row: Closing, doing: Doing, until: float) -> None:
    try:
        pause = doing(row, until)
    except Exception as error:  # one account never holds up the others
        log.exception("a closed account could not go on")
        _failed(row, error)
        return
    if pause is None:
        _settle(row, step=following(row.step), attempts=0, error="", next_attempt_at=clock.now())
    else:
        _settle(row, attempts=0, error="", next_attempt_at=clock.now() + pause)


def _failed(row: Closing, error: Exception) -> None:
    pause = min(FIRST_PAUSE * 2 ** min(row.attempts, 20), LONGEST_PAUSE)
    is_last = row.attempts + 1 >= MOST_ATTEMPTS
    _settle(
        row,
        attempts=row.attempts + 1,
        error=type(error).__name__,
        next_attempt_at=clock.now() + pause,
        parked_at=clock.now() if is_last else None,
    )


def _settle(row: Closing, **changes: int | str | datetime | None) -> None:
    mine = Closing.objects.filter(pk=row.pk, lease=row.lease, step=row.step)
    step = changes.get("step")
    if step == Closing.Step.ENDED:
        changes["ended_at"] = clock.now()
    mine.update(lease="", **changes)


def _claim(steps: list[Closing.Step]) -> Closing | None:
    now = clock.now()
    due = Closing.objects.filter(
        step__in=steps, ended_at=None, parked_at=None, next_attempt_at__lte=now
    )
    for row in due.order_by("next_attempt_at", "pk")[:_TRIED]:
        token = uuid.uuid4().hex
        same = due.filter(pk=row.pk, step=row.step, lease=row.lease)
        if same.update(lease=token, next_attempt_at=now + LEASE):
            row.lease = token
            return row
    return None
