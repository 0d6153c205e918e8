"""At which hours of a week runs may begin: windows, and blackouts taken out of them.

What the clock on the wall shows decides: in the night in which it shows an hour twice, a window of
that hour is open twice as long, and in the night that skips it not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from nightsafe.errors import UsageError
from nightsafe.schedule.day_words import parse_days, parse_time
from nightsafe.schedule.wall_clock import first_change, shown_at

_DAY = 24 * 60  # minutes
_WEEK = 7 * _DAY


@dataclass(frozen=True)
class Window:
    """A span of the day on some days of the week, which it begins on; it may end the day after.

    `start` and `end` in minutes after midnight; equal ones are a whole day.
    """

    days: frozenset[int]
    start: int
    end: int

    def minutes(self) -> list[int]:
        """Return its minutes of the week, Monday's first being 0."""
        length = (self.end - self.start) % _DAY or _DAY
        starts = [day * _DAY + self.start for day in self.days]
        return [(start + minute) % _WEEK for start in starts for minute in range(length)]


def parse_window(text: str) -> Window:
    """Read `22:00-06:00`, or `mon-fri 22:00-06:00`. Raises UsageError."""
    days_text, _, span = text.strip().rpartition(" ")
    start_text, dash, end_text = span.partition("-")
    if not dash:
        raise UsageError(f"{text!a} is no span of time; write it like mon-fri 22:00-06:00.")
    start, end = parse_time(start_text), parse_time(end_text, is_end=True)
    days = parse_days(days_text) if days_text.strip() else frozenset(range(7))
    return Window(days, start, end % _DAY)


class OpenHours:
    """The minutes of a week at which runs may begin."""

    def __init__(self, windows: Sequence[Window] = (), blackouts: Sequence[Window] = ()) -> None:
        """No windows are all hours. Raises UsageError if nothing is left."""
        self._open = bytearray(_WEEK) if windows else bytearray(b"\x01") * _WEEK
        for windows_, value in ((windows, 1), (blackouts, 0)):
            for window in windows_:
                for minute in window.minutes():
                    self._open[minute] = value
        if not any(self._open):
            raise UsageError("No hour is left for runs: the blackouts take all of the windows.")

    def is_open(self, moment: datetime, zone: tzinfo) -> bool:
        """Return whether a run may begin at a moment."""
        return bool(self._open[_minute_of_week(shown_at(moment, zone))])

    def opening(self, moment: datetime, zone: tzinfo) -> datetime:
        """Return the first moment from one on, itself included, at which a run may begin."""
        while not self.is_open(moment, zone):
            shown = shown_at(moment, zone)
            ahead = shown.replace(second=0, microsecond=0) + timedelta(minutes=self._wait(shown))
            there = moment + (ahead - shown)
            change = first_change(moment, there, zone)
            moment = there if change is None else change
        return moment

    def _wait(self, shown: datetime) -> int:
        """Return after how many minutes it is open, on a clock that nobody sets."""
        minute = _minute_of_week(shown)
        found = self._open.find(1, minute)
        if found < 0:
            found = self._open.find(1) + _WEEK
        return found - minute


def _minute_of_week(shown: datetime) -> int:
    return shown.weekday() * _DAY + shown.hour * 60 + shown.minute
