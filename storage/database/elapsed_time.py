"""Measures elapsed time by what was observed, so that a clock that jumps ends no grace period.

The clock is read every few seconds. A step ahead of more than some hours is recorded as a jump, and
does not count: whether the clock was put on or the service stood still, nobody saw
that time pass. So what was removed is kept for its whole grace, whatever the clock says.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max

from backup_service import clock
from storage.models import CanaryRun, Catalogue, ClockJump, Vault

JUMP = timedelta(hours=6)  # a larger step was not seen
OFTEN = timedelta(minutes=1)  # between two notes of what was seen
BACK = timedelta(minutes=5)  # a clock that goes back by more was wrong before

Span = tuple[datetime, datetime]


def observe() -> Span | None:
    """Read the clock; return a jump ahead, from when to when, if there was one.

    Where the clock went back, jumps of the future are cut down to what is past.
    """
    own, now = of_database(), clock.database_now()
    seen = own.seen_at or _newest_stamp()
    if seen is None:
        step = timedelta()
    else:
        step = now - seen
        if own.seen_at is not None and timedelta() <= step < OFTEN:
            return None
    mine = Catalogue.objects.filter(pk=own.pk, seen_at=own.seen_at).update(seen_at=now)
    if not mine:
        return None
    if step < -BACK:
        forget_after(now)
    if seen is None or step <= JUMP:
        return None
    ClockJump.objects.create(from_at=seen, to_at=now)
    return seen, now


def grace_began_before() -> datetime:
    """Return the latest moment since which a whole grace period was observed to pass."""
    now = clock.database_now()
    return counted_back(now, settings.GRACE, ClockJump.objects.values_list("from_at", "to_at"))


def counted_back(now: datetime, length: timedelta, jumps: Iterable[Span]) -> datetime:
    """Return the latest moment that lies `length` before `now`, not counting jumps."""
    for start, end in sorted(jumps, reverse=True):
        end = min(end, now)
        if end <= start:
            continue  # of a clock that was ahead then
        if now - end >= length:
            break
        length -= now - end
        now = start
    return now - length


def forget_after(now: datetime) -> None:
    """Shorten jumps recorded by a clock that was ahead to the part that is past."""
    ClockJump.objects.filter(from_at__gte=now).delete()
    ClockJump.objects.filter(to_at__gt=now).update(to_at=now)


def of_database() -> Catalogue:
    """Return the row that describes this database."""
    return Catalogue.objects.get_or_create(pk=1)[0]


def _newest_stamp() -> datetime | None:
    """Return the newest moment on record, for a database that never recorded the time."""
    stamps = (
        Vault.objects.aggregate(newest=Max("sequence_at"))["newest"],
        CanaryRun.objects.aggregate(newest=Max("at"))["newest"],
    )
    return max((stamp for stamp in stamps if stamp is not None), default=None)
