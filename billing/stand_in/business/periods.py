"""Billing periods by the calendar: the 31st becomes the last day of shorter months."""

import calendar
from datetime import UTC, datetime

YEARLY, MONTHLY = "year", "month"


def period_at(anchor: int, interval: str, moment: int) -> tuple[int, int]:
    """Return the period (first second, first second of the next) of an anchor that holds a moment.

    Counted from the anchor, so that after February the 31st comes back.
    """
    number = 0
    while _after(anchor, interval, number + 1) <= moment:
        number += 1
    return _after(anchor, interval, number), _after(anchor, interval, number + 1)


def _after(anchor: int, interval: str, count: int) -> int:
    return month_after(anchor, count * (12 if interval == YEARLY else 1))


def month_after(anchor: int, count: int) -> int:
    """Return the same day some months later, or the last one of a shorter month."""
    begun = datetime.fromtimestamp(anchor, UTC)
    months = begun.month - 1 + count
    year, month = begun.year + months // 12, months % 12 + 1
    day = min(begun.day, calendar.monthrange(year, month)[1])
    return int(begun.replace(year=year, month=month, day=day).timestamp())
