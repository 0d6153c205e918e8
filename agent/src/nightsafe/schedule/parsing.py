"""A schedule's text, read.

    daily 02:30            weekdays 12:00,18:00      mon,thu 20:00      weekly sun 03:00
    monthly 1,15 04:00     monthly 31 04:00          monthly last 04:00
    every 30m              every 6h                  every 2d
    hourly                 cron 30 2 * * *           continuously       manually

A month that lacks the day has it on its last one. Several schedules are parted by semicolons.
"""

import re
from dataclasses import dataclass
from datetime import date, time, timedelta

from nightsafe.errors import UsageError
from nightsafe.schedule.cron_fields import DayPattern, parse_cron
from nightsafe.schedule.day_words import are_days, parse_days, parse_time
from nightsafe.schedule.rules import (
    ClockFace,
    DayInterval,
    Interval,
    Rule,
    TimesOfDay,
    days_from,
)

CONTINUOUSLY, MANUALLY = "continuously", "manually"
_LONGEST, _MOST = 1000, 20  # characters; schedules in one
_SPAN = re.compile(r"([0-9]{1,6})\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)", re.ASCII)
_MOST_DAYS = 366
_ANY_DAY = date(2000, 1, 1)
_HOW = (
    "write it like: daily 02:30, weekdays 18:00, mon,thu 20:00, monthly 31 04:00, every 30m, "
    "cron 30 2 * * *, continuously or manually"
)


@dataclass(frozen=True)
class Schedule:
    """When a job runs: at what its rules name; where it has none, on changes or on request."""

    text: str
    rules: tuple[Rule, ...]
    is_continuous: bool = False


def parse_schedule(text: str) -> Schedule:
    """Read a schedule. Raises UsageError, which says how to write it."""
    parts = [" ".join(part.split()) for part in text[: _LONGEST + 1].split(";")]
    if len(text) > _LONGEST or len(parts) > _MOST:
        raise UsageError(f"The schedule is too long: {_MOST} parts at most.")
    if len(parts) == 1 and parts[0].lower() in (CONTINUOUSLY, MANUALLY):
        return Schedule(parts[0], (), is_continuous=parts[0].lower() == CONTINUOUSLY)
    return Schedule("; ".join(parts), tuple(_rule(part) for part in parts))


def _rule(text: str) -> Rule:
    word, _, rest = text.partition(" ")
    word = word.lower()
    if word in (CONTINUOUSLY, MANUALLY):
        raise UsageError(f"{word!a} stands alone, without other schedules.")
    if word == "cron":
        fields = parse_cron(rest)
        if next(days_from(_ANY_DAY, fields.days), None) is None:
            raise UsageError(f"{text!a} names no day that ever comes.")
        kind = ClockFace if fields.is_by_clock_face else TimesOfDay
        return kind(fields.days, tuple(time(*one) for one in fields.times))
    if word == "hourly" and not rest:
        return ClockFace(DayPattern(), tuple(time(hour) for hour in range(24)))
    if word == "every":
        return _interval(rest)
    if word == "monthly":
        days, _, times = rest.rpartition(" ")
        return TimesOfDay(_monthly(days), _times(times))
    if word == "weekly":
        word, _, rest = rest.partition(" ")
    if are_days(word):
        return TimesOfDay(DayPattern(weekdays=parse_days(word)), _times(rest))
    raise UsageError(f"{text!a} is not a schedule; {_HOW}.")


def parse_span(text: str) -> int:
    """Read a length of time such as `90m` or `6h`, in seconds. Raises UsageError."""
    number, unit = _span(text)
    seconds = number * {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}.get(unit, 0)
    if not 0 < seconds <= _MOST_DAYS * 86400:
        raise UsageError(f"{text!a} is not a length of time; write it like 90m, 6h or 2d.")
    return seconds


def _span(text: str) -> tuple[int, str]:
    found = _SPAN.fullmatch(text.strip().lower())
    return (int(found[1]), found[2][0]) if found else (0, "")


def _interval(text: str) -> Rule:
    number, unit = _span(text)
    days = number * 7 if unit == "w" else number if unit == "d" else 0
    seconds = number * {"m": 60, "h": 3600}.get(unit, 0)
    if not 0 < timedelta(days=days, seconds=seconds).days + bool(seconds) <= _MOST_DAYS:
        raise UsageError(
            f"'every {text}' is not an interval; write it like every 30m, every 6h or every 2d, "
            f"{_MOST_DAYS} days at most."
        )
    return DayInterval(days) if days else Interval(seconds)


def _monthly(text: str) -> DayPattern:
    words = text.lower().split(",")
    numbers = [word for word in words if word != "last"]
    if not all(word.isascii() and word.isdigit() and len(word) <= 2 for word in numbers) or not all(
        1 <= int(word) <= 31 for word in numbers
    ):
        raise UsageError(
            f"{text!a} are not days of a month; write it like monthly 1,15 04:00 or "
            "monthly last 04:00."
        )
    return DayPattern(
        days=frozenset(map(int, numbers)),
        is_last_day="last" in words,
        is_clamped=bool(numbers),
    )


def _times(text: str) -> tuple[time, ...]:
    minutes = sorted({parse_time(word) for word in text.split(",")})
    return tuple(time(*divmod(one, 60)) for one in minutes)
