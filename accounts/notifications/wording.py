"""Moments and sizes in notices: values that programs read, and words that people do.

A notice is worded when it is read or sent, in its reader's language and zone, so what it is made
of holds moments in ISO 8601 and sizes in bytes.
"""

from datetime import datetime

from accounts.templatetags.amounts import amount, day, minute


def iso(moment: datetime) -> str:
    """Return a moment as the values of a notice hold it, to the second."""
    return moment.isoformat(timespec="seconds")


def day_of(value: str) -> str:
    """Return the day of a moment in the reader's words; older notices hold it in words already."""
    moment = _read(value)
    return day(moment) if moment else value


def minute_of(value: str) -> str:
    """Return a moment to the minute in the reader's words; older notices hold words already."""
    moment = _read(value)
    return minute(moment) if moment else value


def size_of(value: int | str) -> str:
    """Return a size in the reader's words; older notices hold it in words already."""
    return amount(value) if isinstance(value, int) else value


def _read(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
