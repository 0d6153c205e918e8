"""Says how often a vault is backed up, and from when on it is late. Pure.

What counts is time that passes, never what a clock on the wall says: a night with a change to or
from summer time is an hour shorter or longer, which the grace covers.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

USUAL = timedelta(days=1)  # until more is known
LOOKED_AT = 13  # runs
FEWEST = 4  # of them, from which something is learnt
# Whoever backs up every hour by day sleeps by night, so no shorter interval is learnt than a day.
LEARNT = (timedelta(days=1), timedelta(days=31))
GRACE = (timedelta(hours=1), timedelta(days=3))


def learnt(runs: Sequence[datetime]) -> timedelta | None:
    """Return the interval at which these runs came, whatever their order; None of too few.

    It is the longest but one of the pauses between the last of them: at weekends an office makes
    none, and the one holiday of the year is no rule.
    """
    newest = sorted(runs)[-LOOKED_AT:]
    if len(newest) < FEWEST:
        return None
    pauses = sorted(later - former for former, later in itertools.pairwise(newest))
    least, most = LEARNT
    return min(max(pauses[-2], least), most)


def grace(interval: timedelta) -> timedelta:
    """Return how long after its interval a backup may come: as long again, within bounds."""
    least, most = GRACE
    return min(max(interval, least), most)


def next_expected(last: datetime, interval: timedelta | None) -> datetime:
    """Return when the backup after the `last` one is expected."""
    return last + (interval or USUAL)


def late_from(last: datetime, interval: timedelta | None) -> datetime:
    """Return the moment after which the vault is late, unless a backup came."""
    return next_expected(last, interval) + grace(interval or USUAL)
