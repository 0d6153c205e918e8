"""Spans of time in calendar units, counted as restic counts them."""

import re
import time
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from nightsafe.errors import UsageError

_PART = re.compile(r"(-?[0-9]+)([ymdh])")
_SECOND = 1_000_000_000
_DAY, _HOUR = 86_400, 3600
_EPOCH = date(1970, 1, 1).toordinal()
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
"""The calendar repeats itself after these, so that no year is beyond it."""


@dataclass(frozen=True)
class Span:
    """A length of time in calendar units, such as `1y5m7d2h`."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    @classmethod
    def parse(cls, text: str) -> "Span":
        """UsageError when the text is not a length of time."""
        text = text.strip()
        found = _PART.findall(text)
        if not found or "".join(number + unit for number, unit in found) != text:
            raise UsageError(f"{text!a} is not a length of time; write it like 1y5m7d2h.")
        parts = {unit: int(number) for number, unit in found}
        if any(number < 0 for number in parts.values()):
            raise UsageError(f"{text!a} is negative; a length of time must not be.")
        return cls(*(parts.get(unit, 0) for unit in "ymdh"))

    def __str__(self) -> str:
        """As `parse` reads it; empty for no time at all."""
        parts = zip((self.years, self.months, self.days, self.hours), "ymdh", strict=True)
        return "".join(f"{number}{unit}" for number, unit in parts if number)

    def before(self, moment: int, *, zone: int) -> int:
        """The moment this long before another one, both in nanoseconds since 1970.

        `zone`: by how many seconds the clock that it was read from was ahead of UTC. If that is
        what clocks here were ahead then, hours that they were set by since count as they do here.
        Days beyond a month's end run on into the next.
        """
        second, rest = divmod(moment, _SECOND)
        is_local = bool(zone) and _ahead(second) == zone
        days, of_day = divmod(second + zone, _DAY)
        day = civil(days)
        month = (day.year - self.years) * 12 + day.month - 1 - self.months
        start = _days_before(*divmod(month, 12)) + day.day - 1 - self.days
        clock = start * _DAY + of_day
        second = clock - (_ahead(clock - _ahead(clock)) if is_local else zone)
        return (second - self.hours * _HOUR) * _SECOND + rest


NO_SPAN = Span()


class CivilDay(NamedTuple):
    """A day of the calendar, of any year."""

    year: int
    month: int
    day: int


def civil(days: int) -> CivilDay:
    """The day that lies so many days behind the first of 1970."""
    cycle, rest = divmod(days, _CYCLE_DAYS)
    day = date.fromordinal(_EPOCH + rest)
    return CivilDay(day.year + cycle * _CYCLE_YEARS, day.month, day.day)


def _days_before(year: int, month: int) -> int:
    """How many days behind the first of 1970 a month begins, counted from 0."""
    cycle, rest = divmod(year, _CYCLE_YEARS)
    first = date(rest + _CYCLE_YEARS, month + 1, 1).toordinal() - _EPOCH
    return first + (cycle - 1) * _CYCLE_DAYS


def _ahead(second: int) -> int:
    """By how many seconds clocks here are ahead of UTC at a moment, in seconds since 1970."""
    try:
        return time.localtime(second).tm_gmtoff
    except (OverflowError, OSError, ValueError):
        return 0
