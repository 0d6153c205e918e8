"""When a job runs next: what its schedule names, its hours, and when it ran last."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from nightsafe.schedule.parsing import Schedule
from nightsafe.schedule.windows import OpenHours

_BELIEVED = timedelta(hours=1)
"""How far ahead of the clock a last run may be: further, and a clock that was wrong wrote it."""


@dataclass(frozen=True)
class Plan:
    """A schedule in a time zone, with the hours at which runs may begin."""

    schedule: Schedule
    zone: tzinfo
    hours: OpenHours = field(default_factory=OpenHours)

    def next_run(self, last: datetime | None, now: datetime) -> datetime | None:
        """Return when the job runs next, `now` being the earliest; None if never by itself.

        `last` is when its last run began, None if nothing may have been missed before `now`. What
        was missed since is one run, at once or when the hours open, from which the next is counted.
        """
        now = now.astimezone(UTC)  # in which hours are real time, whatever it was given in
        since = now if last is None else last.astimezone(UTC)
        if since - now > _BELIEVED:
            return self.hours.opening(now, self.zone) if self.schedule.rules else None
        found = [rule.after(since, self.zone) for rule in self.schedule.rules]
        named = [moment for moment in found if moment is not None]
        if not named:
            return None
        return self.hours.opening(max(min(named), now), self.zone)

    def upcoming(self, last: datetime | None, now: datetime) -> Iterator[datetime]:
        """Yield all next runs, each as if the one before had begun when it was due."""
        while (due := self.next_run(last, now)) is not None:
            yield due
            last = now = due
