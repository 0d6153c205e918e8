"""The kinds of rules that a schedule is made of: each knows its first moment after another one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Protocol

from nightsafe.schedule.cron_fields import DayPattern
from nightsafe.schedule.wall_clock import first_change, moment_of, shown_at

_DAY = timedelta(days=1)
_YEARS = 50  # in which a day has to come: 29 February is a Monday once in 28 years, or in 40


class Rule(Protocol):
    """One of the rules of a schedule."""

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the first moment after `moment` that the rule names; None if there is none."""


@dataclass(frozen=True)
class TimesOfDay:
    """Times of day, sorted, each once on every day that fits.

    Of a time that is shown twice the first counts; a time that clocks skip is when they are set.
    """

    days: DayPattern
    times: tuple[time, ...]

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the first such time after a moment."""
        for day in days_from(shown_at(moment, zone).date() - _DAY, self.days):
            for one in self.times:
                found = moment_of(datetime.combine(day, one), zone)
                if found > moment:
                    return found
        return None


@dataclass(frozen=True)
class ClockFace:
    """Whenever a clock shows one of some times, sorted, on days that fit: if it must, twice."""

    days: DayPattern
    times: tuple[time, ...]

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the first such moment after another one."""
        while True:
            shown = shown_at(moment, zone)
            ahead = self._ahead(shown)
            if ahead is None:
                return None
            there = moment + (ahead - shown)
            change = first_change(moment, there, zone)
            if change is None:
                return there
            if self._names(shown_at(change, zone)):
                return change
            moment = change

    def _ahead(self, shown: datetime) -> datetime | None:
        """Return what a clock shows next of what is meant, if nobody sets it."""
        for day in days_from(shown.date(), self.days):
            for one in self.times:
                if (found := datetime.combine(day, one)) > shown:
                    return found
        return None

    def _names(self, shown: datetime) -> bool:
        return shown.time() in self.times and self.days.matches(shown.date())


@dataclass(frozen=True)
class Interval:
    """Every so many seconds of real time, counted from the run before."""

    seconds: int

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the moment that is so much later."""
        return _later(moment, timedelta(seconds=self.seconds))


@dataclass(frozen=True)
class DayInterval:
    """Every so many days, at the time of day of the run before."""

    count: int

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the same time of day so many days later."""
        shown = _later(shown_at(moment, zone), timedelta(days=self.count))
        return None if shown is None else moment_of(shown, zone)


def _later(moment: datetime, span: timedelta) -> datetime | None:
    try:
        return moment + span
    except OverflowError:
        return None


def days_from(start: date, pattern: DayPattern) -> Iterator[date]:
    """Yield the days that fit, from one on, for as many years as it may take."""
    last_year = min(start.year + _YEARS, date.max.year - 1)
    day = start
    while day.year <= last_year:
        if day.month not in pattern.months:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            continue
        if pattern.matches(day):
            yield day
        day += _DAY
