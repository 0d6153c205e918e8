"""A year of a computer that sleeps, is switched off and travels in time, with drawn schedules."""

import bisect
import itertools
import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from nightsafe.schedule.parsing import parse_schedule
from nightsafe.schedule.plan import Plan
from nightsafe.schedule.windows import OpenHours, parse_window

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=366)
SKIPPED_DAY = datetime(2011, 6, 1, tzinfo=UTC)  # Apia had no 30 December
ZONES = (
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("Pacific/Apia", "Africa/Casablanca", "America/Santiago", "UTC"),
)
SCHEDULES = (
    *("daily 02:30", "daily 12:00,23:59", "weekdays 18:00", "sat,sun 00:00", "hourly"),
    *("monthly 31 04:00", "monthly 1,15 02:10", "every 45m", "every 6h", "every 1d", "every 2w"),
    *("cron */30 * * * *", "cron 0 */2 * * *", "cron 15 3 * * 1#2", "daily 02:15; mon 12:00"),
)
WINDOWS = ((), ("22:00-06:00",), ("02:00-03:00",), ("mon-fri 18:00-24:00", "sat,sun 00:00-24:00"))
BLACKOUTS = ((), ("mon-fri 09:00-17:00",), ("sun 00:00-12:00",))
CONFIGURATIONS = int(os.environ.get("NIGHTSAFE_TEST_ROUNDS", "200"))


def awake(chance: random.Random, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return when a computer is awake: by day, nearly always, or with weeks in between."""
    spans, now = [], start
    kind = chance.choice(("always", "days", "weeks"))
    while now < end:
        up = {"always": 300.0, "days": chance.uniform(0.1, 14), "weeks": chance.uniform(1, 200)}
        down = {"always": 0.5, "days": chance.uniform(0.1, 30), "weeks": chance.uniform(1, 700)}
        until = now + timedelta(hours=up[kind])
        spans.append((now, until))
        now = until + timedelta(hours=down[kind])
    return spans


def lived(plan: Plan, spans: Sequence[tuple[datetime, datetime]]) -> list[datetime]:
    """Return when the runs began of a job that looks when it is due whenever it is awake."""
    runs: list[datetime] = []
    last: datetime | None = spans[0][0]
    for start, end in spans:
        now = start
        while (due := plan.next_run(last, now)) is not None and due < end:
            runs.append(due)
            last = now = due
    return runs


def one_life(chance: random.Random) -> tuple[str, Plan, list[tuple[datetime, datetime]]]:
    zone = chance.choice(ZONES)
    text = chance.choice(SCHEDULES)
    windows, blackouts = chance.choice(WINDOWS), chance.choice(BLACKOUTS)
    hours = OpenHours([*map(parse_window, windows)], [*map(parse_window, blackouts)])
    plan = Plan(parse_schedule(text), ZoneInfo(zone), hours)
    start = SKIPPED_DAY if zone == "Pacific/Apia" else START
    told = f"{text} in {zone}, within {windows}, not {blackouts}"
    return told, plan, awake(chance, start, start + (END - START))


def test_no_run_is_missed_none_is_outside_its_hours_and_none_comes_twice(
    chance: random.Random,
) -> None:
    for _ in range(CONFIGURATIONS):
        told, plan, spans = one_life(chance)
        runs = lived(plan, spans)
        assert all(one < other for one, other in itertools.pairwise(runs)), told
        for run in runs:
            assert plan.hours.is_open(run, plan.zone), (told, run)
        require_none_missed(told, plan, spans, runs)


def require_none_missed(
    told: str, plan: Plan, spans: Sequence[tuple[datetime, datetime]], runs: Sequence[datetime]
) -> None:
    """See that between a run and the next nothing was named that could have run sooner."""
    ends = [end for _, end in spans]
    for before, run in zip([spans[0][0], *runs], [*runs, None], strict=True):
        named = min(
            (found for rule in plan.schedule.rules if (found := rule.after(before, plan.zone))),
            default=None,
        )
        possible = None if named is None else first_chance(plan, spans, ends, named)
        assert possible == run, (told, before, named)


def first_chance(
    plan: Plan,
    spans: Sequence[tuple[datetime, datetime]],
    ends: Sequence[datetime],
    moment: datetime,
) -> datetime | None:
    """Return the first moment from one on at which it is awake and its hours are open."""
    for start, end in spans[bisect.bisect_right(ends, moment) :]:
        opened = plan.hours.opening(max(start, moment), plan.zone)
        if opened < end:
            return opened
    return None


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_run_is_one_a_day_all_year(zone: str) -> None:
    plan = Plan(parse_schedule("daily 02:30"), ZoneInfo(zone))
    start = SKIPPED_DAY if zone == "Pacific/Apia" else START
    runs = lived(plan, [(start, start + timedelta(days=365))])
    gaps = [other - one for one, other in itertools.pairwise(runs)]
    assert len(runs) in (365, 366)
    # A day that was skipped has its run as the next begins, hours before that one's own.
    assert all(timedelta(hours=2) < gap <= timedelta(hours=25) for gap in gaps)


@pytest.mark.parametrize("zone", ZONES)
def test_every_half_hour_is_one_of_real_time_all_year(zone: str) -> None:
    plan = Plan(parse_schedule("cron */30 * * * *"), ZoneInfo(zone))
    start = SKIPPED_DAY if zone == "Pacific/Apia" else START
    runs = lived(plan, [(start, start + timedelta(days=365))])
    gaps = {other - one for one, other in itertools.pairwise(runs)}
    assert gaps == {timedelta(minutes=30)}
