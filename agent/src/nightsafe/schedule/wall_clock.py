"""The clock on the wall: what it shows at a moment, and at which moment it shows something."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal

from nightsafe.errors import UsageError

_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)


def find_zone(name: str) -> tzinfo:
    """Return a time zone by its name in the tz database. Raises UsageError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"{name!a} is no time zone that this computer knows; write it like Europe/Berlin."
        ) from error


def local_zone() -> tzinfo:
    """Return this computer's time zone as it is now, or UTC where it tells none."""
    try:
        return tzlocal.reload_localzone()
    except (ValueError, OSError, ZoneInfoNotFoundError):  # TZ or /etc/localtime is no zone
        return UTC


def shown_at(moment: datetime, zone: tzinfo) -> datetime:
    """Return what a clock in the zone shows at a moment, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def moment_of(shown: datetime, zone: tzinfo) -> datetime:
    """Return the moment at which a clock in the zone shows something.

    What is shown twice, as clocks are set back, is meant the first time; what is never shown, as
    they are set forward, is the moment at which they are.
    """
    first = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if shown_at(first, zone) == shown:
        return first
    return change_between(shown.replace(tzinfo=zone, fold=1).astimezone(UTC), first, zone)


def first_change(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """Return the first moment after `start`, up to `end`, with another offset from UTC, if any.

    Clocks that are set twice within a day, and back to where they were, are not seen.
    """
    offset = start.astimezone(zone).utcoffset()
    while start < end:
        following = min(start + _DAY, end)
        if following.astimezone(zone).utcoffset() != offset:
            return change_between(start, following, zone)
        start = following
    return None


def change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first moment, in whole seconds, that has the offset from UTC of `after`.

    Between the two, of which `before` has another offset, clocks are set once.
    """
    new = after.astimezone(zone).utcoffset()
    before = before.replace(microsecond=0)
    after = after.replace(microsecond=0) + (_SECOND if after.microsecond else timedelta())
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == new:
            after = middle
        else:
            before = middle
    return after
