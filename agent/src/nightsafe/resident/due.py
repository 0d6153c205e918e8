"""When a job runs next, by its schedule and by how its last run ended."""

from datetime import datetime, timedelta
from itertools import islice, takewhile

from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState

_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60))
"""After one failed run, two, and so on; the last one for all that follow."""
_MOST_COUNTED = 1000


def next_run(job: Job, state: JobState, now: datetime) -> datetime | None:
    """Return when a job runs next, `now` being the earliest; None if it waits to be asked.

    A run that failed is tried again before its time, after a while; one that was broken off is
    begun again at once.
    """
    plan = job.plan
    if not job.parsed_schedule.rules:
        return None
    last = state.started or state.added
    if last is None:  # what was known is lost, so that it may have been missed
        return plan.hours.opening(now, plan.zone)
    named = plan.next_run(last, now)
    again = _again(state)
    if again is None:
        return named
    opened = plan.hours.opening(max(again, now), plan.zone)
    return opened if named is None else min(named, opened)


def count_missed(job: Job, state: JobState, now: datetime) -> int:
    """Count the times that have passed since the last run, a thousand at most."""
    last = state.started or state.added
    if last is None or last > now:
        return 0
    plan = job.plan
    times = takewhile(lambda moment: moment <= now, plan.upcoming(last, last))
    return sum(1 for _ in islice(times, _MOST_COUNTED))


def _again(state: JobState) -> datetime | None:
    if state.started is None:
        return None
    if state.outcome == "failed":
        pause = _PAUSES[min(max(state.failures, 1), len(_PAUSES)) - 1]
        return (state.finished or state.started) + pause
    if state.outcome == "interrupted" or state.finished is None:
        return state.started
    return None
