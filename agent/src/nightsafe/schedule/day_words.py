"""Days and times of day as people write them: `mon-fri`, `weekends`, `02:30`."""

import re

from nightsafe.errors import UsageError
from nightsafe.schedule.cron_fields import DAYS

_GROUPS = {
    "daily": range(7),
    "weekdays": range(5),
    "weekends": range(5, 7),
}
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)
_NAMES = {
    **{name: number for number, name in enumerate(DAYS)},
    **{
        name: number
        for number, name in enumerate(
            ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        )
    },
}


def parse_days(text: str) -> frozenset[int]:
    """Read days of the week, Monday being 0: `mon,wed`, `sat-tue`, `weekdays`.

    Raises UsageError.
    """
    found: set[int] = set()
    for term in text.strip().lower().split(","):
        if term in _GROUPS:
            found.update(_GROUPS[term])
            continue
        first, dash, last = term.partition("-")
        if first not in _NAMES or (dash and last not in _NAMES):
            raise UsageError(
                f"{text!a} names no days; write them like mon,wed or mon-fri, weekdays or weekends."
            )
        start, end = _NAMES[first], _NAMES[last if dash else first]
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(found)


def are_days(text: str) -> bool:
    """Return whether a word looks like days of the week."""
    first = re.split("[,-]", text.lower(), maxsplit=1)[0]
    return first in _GROUPS or first in _NAMES


def parse_time(text: str, *, is_end: bool = False) -> int:
    """Read a time of day, in minutes after midnight; 24:00 where a span ends. Raises UsageError."""
    found = _TIME.fullmatch(text.strip())
    if found:
        hour, minute = int(found[1]), int(found[2])
        if minute < 60 and (hour < 24 or (is_end and (hour, minute) == (24, 0))):
            return hour * 60 + minute
    raise UsageError(f"{text.strip()!a} is not a time of day; write it like 02:30 or 18:00.")
