"""Says when a plan will be full if it goes on filling as in the last weeks. Pure."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WINDOW = timedelta(days=30)  # that is looked at
FEWEST = 7  # samples
SHORTEST = timedelta(days=10)  # between the first and the last of them
FARTHEST = timedelta(days=730)  # beyond which nobody can say

Sample = tuple[date, int]  # bytes on a day


@dataclass(frozen=True)
class Forecast:
    """How fast a plan fills, in bytes a day, and when it is full: None if not within two years."""

    rate: float
    full_on: date | None


def forecast(samples: Sequence[Sample], quota: int) -> Forecast | None:
    """Return how it goes on from the last sample, in whatever order they come.

    None of too few samples, or too short a time, and where the quota (bytes) is reached already.
    The rate is the median of those between all pairs of days (Theil 1950, Sen 1968), so that a
    first big backup, or a removal, is no trend.
    """
    if not samples:
        return None
    today, now = max(samples)
    recent = sorted(one for one in samples if one[0] > today - WINDOW)
    if len(recent) < FEWEST or recent[-1][0] - recent[0][0] < SHORTEST or now >= quota:
        return None
    rate = _rate(recent)
    return Forecast(rate, _full_on(today, quota - now, rate))


def _rate(samples: Sequence[Sample]) -> float:
    return statistics.median(
        (more - less) / (later - former).days
        for (former, less), (later, more) in itertools.combinations(samples, 2)
        if later > former
    )


def _full_on(today: date, room: int, rate: float) -> date | None:
    if rate <= 0 or room / rate > FARTHEST.days:
        return None
    return today + timedelta(days=round(room / rate))
