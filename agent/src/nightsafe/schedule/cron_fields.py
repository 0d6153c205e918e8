"""A cron expression's five fields: minute, hour, day of the month, month, day of the week.

As in Debian's cron a day has to fit both of its fields where one of them begins with a star, and
either of them otherwise. Beyond that: names of months and days, `L` for the month's last day, `LW`
for its last working day, `5L` for its last Friday, `5#2` for its second, and `@daily` and its like.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from nightsafe.errors import UsageError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As `date.weekday` counts them."""
_MONTHS = tuple(name.lower() for name in calendar.month_abbr[1:])
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST = 500  # characters
_LAST = 0  # in place of which Friday of a month


@dataclass(frozen=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: Mapping[str, int]


_MINUTE = _Field("minute", 0, 59, {})
_HOUR = _Field("hour", 0, 23, {})
_DAY = _Field("day of the month", 1, 31, {})
_MONTH = _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
# Cron counts Sunday as 0 and as 7.
_WEEKDAY = _Field("day of the week", 0, 7, {name: n % 7 for n, name in enumerate(DAYS, 1)})


@dataclass(frozen=True)
class DayPattern:
    """Which days: of the month, of the week (as `date.weekday` counts), or of both.

    `nth` holds (day of the week, which one of its month), the last one being 0.
    """

    months: frozenset[int] = frozenset(range(1, 13))
    days: frozenset[int] = frozenset(range(1, 32))
    weekdays: frozenset[int] = frozenset(range(7))
    nth: frozenset[tuple[int, int]] = frozenset()
    is_last_day: bool = False
    is_last_working_day: bool = False
    is_either: bool = False  # a day of the month or of the week is enough
    is_clamped: bool = False  # a day that a month lacks is its last one

    def matches(self, day: date) -> bool:
        """Return whether a day is meant."""
        if day.month not in self.months:
            return False
        fits = self._fits_month(day), self._fits_week(day)
        return any(fits) if self.is_either else all(fits)

    def _fits_month(self, day: date) -> bool:
        if day.day in self.days:
            return True
        last = calendar.monthrange(day.year, day.month)[1]
        is_lacking = self.is_clamped and max(self.days) > last
        if day.day == last and (self.is_last_day or is_lacking):
            return True
        return self.is_last_working_day and day.day == _last_working_day(day.year, day.month)

    def _fits_week(self, day: date) -> bool:
        if day.weekday() in self.weekdays:
            return True
        if not self.nth:
            return False
        last = calendar.monthrange(day.year, day.month)[1]
        which = (day.weekday(), (day.day + 6) // 7)
        return which in self.nth or (day.day + 7 > last and (day.weekday(), _LAST) in self.nth)


@dataclass(frozen=True)
class CronFields:
    """The days of an expression, and the times of day: sorted pairs of hour and minute.

    `is_by_clock_face`: minute or hour begins with a star, so that it is every time that a clock
    shows one of the times, be that twice a day or not at all.
    """

    days: DayPattern
    times: tuple[tuple[int, int], ...]
    is_by_clock_face: bool


def parse_cron(text: str) -> CronFields:
    """Read five fields, or a word such as `@daily`. Raises UsageError."""
    words = _MACROS.get(text.strip().lower(), text).lower().split()
    if len(words) != 5 or len(text) > _LONGEST:
        raise UsageError(
            f"cron {text[:_LONGEST]!a} has not five fields: minute, hour, day of the month, month, "
            "day of the week. Write it like: cron 30 2 * * *"
        )
    minute, hour, day, month, weekday = words
    minutes, hours = _numbers(_MINUTE, minute), _numbers(_HOUR, hour)
    return CronFields(
        days=_days(day, month, weekday),
        times=tuple((one, other) for one in sorted(hours) for other in sorted(minutes)),
        is_by_clock_face=minute.startswith("*") or hour.startswith("*"),
    )


def _days(day: str, month: str, weekday: str) -> DayPattern:
    last = {term.partition("/")[0] for term in day.split(",")} & {"l", "lw"}
    plain = [term for term in day.split(",") if term.partition("/")[0] not in last]
    weekdays, nth = _weekdays(weekday)
    return DayPattern(
        months=_numbers(_MONTH, month),
        days=_numbers(_DAY, ",".join(plain)) if plain else frozenset(),
        weekdays=weekdays,
        nth=nth,
        is_last_day="l" in last,
        is_last_working_day="lw" in last,
        is_either=not (day.startswith("*") or weekday.startswith("*")),
    )


def _weekdays(text: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    plain: list[str] = []
    nth: set[tuple[int, int]] = set()
    for term in text.split(","):
        name, sign, which = term.partition("#")
        if sign:
            if which not in ("1", "2", "3", "4", "5"):
                raise _invalid(_WEEKDAY, term)
            nth.add((_python_day(_number(_WEEKDAY, name)), int(which)))
        elif term.endswith("l") and term[:-1]:
            nth.add((_python_day(_number(_WEEKDAY, term[:-1])), _LAST))
        else:
            plain.append(term)
    numbers = _numbers(_WEEKDAY, ",".join(plain)) if plain else frozenset[int]()
    return frozenset(map(_python_day, numbers)), frozenset(nth)


def _python_day(number: int) -> int:
    return (number - 1) % 7


def _numbers(field: _Field, text: str) -> frozenset[int]:
    return frozenset(number for term in text.split(",") for number in _term(field, term))


def _term(field: _Field, text: str) -> range:
    body, slash, step_text = text.partition("/")
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdigit() and int(step_text)):
            raise _invalid(field, text)
        step = int(step_text)
    if body == "*":
        highest = 6 if field is _WEEKDAY else field.highest
        return range(field.lowest, highest + 1, step)
    first, dash, last = body.partition("-")
    start = _number(field, first)
    if dash:
        end = _number(field, last)
    else:
        end = field.highest if slash else start
    if field is _WEEKDAY and end == 0 < start:  # sat-sun
        end = 7
    if end < start:
        raise _invalid(field, text)
    return range(start, end + 1, step)


def _number(field: _Field, text: str) -> int:
    if text in field.names:
        return field.names[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise _invalid(field, text)
    number = int(text)
    if not field.lowest <= number <= field.highest:
        raise _invalid(field, text)
    return number


def _invalid(field: _Field, text: str) -> UsageError:
    return UsageError(
        f"{text!a} is not a {field.name} of cron; it is between {field.lowest} and "
        f"{field.highest}, as in 5, 1-5, */10 or 1,15."
    )


def _last_working_day(year: int, month: int) -> int:
    first, last = calendar.monthrange(year, month)
    return last - max(0, (first + last - 1) % 7 - 4)
