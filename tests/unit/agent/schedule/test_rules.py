"""The moments that schedules name, beside a clock that is read minute by minute, and cronsim."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from nightsafe.errors import UsageError
from nightsafe.schedule.cron_fields import parse_cron
from nightsafe.schedule.parsing import Schedule, parse_schedule
from nightsafe.schedule.plan import Plan

BERLIN = "Europe/Berlin"
MINUTE = timedelta(minutes=1)


def upcoming(text: str, zone: str, start: str, count: int, last: str | None = None) -> list[str]:
    """Return the next times as a clock in the zone shows them, with their offset."""
    place = ZoneInfo(zone)
    plan = Plan(parse_schedule(text), place)
    since = None if last is None else moment(last, zone)
    found = plan.upcoming(since, moment(start, zone))
    return [f"{one.astimezone(place):%m-%d %H:%M%z}" for one in islice(found, count)]


def moment(text: str, zone: str) -> datetime:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def test_a_time_that_the_clocks_skip_is_when_they_are_set() -> None:
    assert upcoming("daily 02:30", BERLIN, "2026-03-28T12:00", 3) == [
        "03-29 03:00+0200",
        "03-30 02:30+0200",
        "03-31 02:30+0200",
    ]


def test_two_times_that_are_skipped_are_one_run() -> None:
    found = upcoming("daily 02:15,02:45,03:00", BERLIN, "2026-03-28T12:00", 2)
    assert found == ["03-29 03:00+0200", "03-30 02:15+0200"]


def test_a_time_that_is_shown_twice_is_the_first() -> None:
    assert upcoming("daily 02:30", BERLIN, "2026-10-24T12:00", 2) == [
        "10-25 02:30+0200",
        "10-26 02:30+0100",
    ]
    # Between the two, too, the next one is the day after.
    assert upcoming("daily 02:30", BERLIN, "2026-10-25T02:45+02:00", 1) == ["10-26 02:30+0100"]
    assert upcoming("daily 02:30", BERLIN, "2026-10-25T02:15+01:00", 1) == ["10-26 02:30+0100"]


def test_every_half_hour_of_the_clock_is_one_of_real_time() -> None:
    assert upcoming("cron */30 * * * *", BERLIN, "2026-10-25T01:45", 5) == [
        *("10-25 02:00+0200", "10-25 02:30+0200"),
        *("10-25 02:00+0100", "10-25 02:30+0100", "10-25 03:00+0100"),
    ]
    assert upcoming("cron */30 * * * *", BERLIN, "2026-03-29T01:15", 3) == [
        *("03-29 01:30+0100", "03-29 03:00+0200", "03-29 03:30+0200"),
    ]


def test_the_last_time_of_a_doubled_hour_is_not_forgotten() -> None:
    """What a clock shows again may be before what it showed last, and a year from the next."""
    found = upcoming("cron */30 2 25 10 *", BERLIN, "2026-10-25T02:45+02:00", 3)
    assert found == ["10-25 02:00+0100", "10-25 02:30+0100", "10-25 02:00+0200"]


def test_a_clock_that_is_set_back_over_midnight() -> None:
    """In Newfoundland until 2011 a minute past midnight became an hour less a minute before it."""
    found = upcoming("cron */30 * * * *", "America/St_Johns", "2010-11-06T23:15-02:30", 6)
    assert found == [
        *("11-06 23:30-0230", "11-07 00:00-0230"),
        *("11-06 23:30-0330", "11-07 00:00-0330", "11-07 00:30-0330", "11-07 01:00-0330"),
    ]


def test_a_day_that_never_was() -> None:
    found = upcoming("monthly 30 04:00", "Pacific/Apia", "2011-12-01T00:00", 2)
    assert found == ["12-31 00:00+1400", "01-30 04:00+1400"]


def test_half_an_hour_of_daylight_saving() -> None:
    found = upcoming("daily 02:10", "Australia/Lord_Howe", "2026-10-03T12:00", 2)
    assert found == ["10-04 02:30+1100", "10-05 02:10+1100"]


def test_the_days_of_a_month() -> None:
    assert upcoming("monthly 31 04:00", "UTC", "2026-01-31T04:00", 4) == [
        *("02-28 04:00+0000", "03-31 04:00+0000", "04-30 04:00+0000", "05-31 04:00+0000"),
    ]
    assert upcoming("monthly 1,29 04:00", "UTC", "2028-02-01T05:00", 2) == [
        *("02-29 04:00+0000", "03-01 04:00+0000"),
    ]
    assert upcoming("monthly last 04:00", "UTC", "2026-02-01T05:00", 1) == ["02-28 04:00+0000"]


def test_days_of_the_week() -> None:
    start = "2026-11-27T12:00"  # a Friday
    assert upcoming("weekdays 18:00", "UTC", start, 2) == ["11-27 18:00+0000", "11-30 18:00+0000"]
    assert upcoming("weekends 9:00", "UTC", start, 2) == ["11-28 09:00+0000", "11-29 09:00+0000"]
    assert upcoming("weekly Thursday 08:00", "UTC", start, 1) == ["12-03 08:00+0000"]
    assert upcoming("sat-mon 08:00", "UTC", start, 4) == [
        *("11-28 08:00+0000", "11-29 08:00+0000", "11-30 08:00+0000", "12-05 08:00+0000"),
    ]


def test_several_schedules_in_one() -> None:
    found = upcoming("weekdays 18:00; weekends 9:00; sat 9:00", "UTC", "2026-11-27T12:00", 3)
    assert found == ["11-27 18:00+0000", "11-28 09:00+0000", "11-29 09:00+0000"]


def test_intervals_are_real_time_and_days_keep_the_hour() -> None:
    day_before = "2026-10-24T12:00"
    assert upcoming("every 30m", "UTC", day_before, 2) == ["10-24 12:30+0000", "10-24 13:00+0000"]
    assert upcoming("every 24h", BERLIN, day_before, 1) == ["10-25 11:00+0100"]
    assert upcoming("every 1d", BERLIN, day_before, 1) == ["10-25 12:00+0100"]
    assert upcoming("every 2 weeks", BERLIN, day_before, 1) == ["11-07 12:00+0100"]


def test_what_was_missed_is_one_run_and_the_next_is_counted_from_it() -> None:
    now = "2026-11-27T12:10"
    assert upcoming("daily 02:30", "UTC", now, 2, last="2026-11-20T02:30") == [
        *("11-27 12:10+0000", "11-28 02:30+0000"),
    ]
    assert upcoming("every 2h", "UTC", now, 2, last="2026-11-20T02:30") == [
        *("11-27 12:10+0000", "11-27 14:10+0000"),
    ]
    assert upcoming("every 2h", "UTC", now, 1, last="2026-11-27T11:00") == ["11-27 13:00+0000"]


def test_a_last_run_in_the_future_was_written_by_a_wrong_clock() -> None:
    now = "2026-11-27T12:10"
    assert upcoming("daily 02:30", "UTC", now, 2, last="2100-01-01T00:00") == [
        *("11-27 12:10+0000", "11-28 02:30+0000"),
    ]
    # One that was set back by minutes does not run twice.
    assert upcoming("daily 12:30", "UTC", now, 1, last="2026-11-27T12:30") == ["11-28 12:30+0000"]


def test_what_has_no_times() -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    for text in ("manually", "Continuously"):
        assert Plan(parse_schedule(text), UTC).next_run(None, now) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a schedule"),
        ("sometimes", "is not a schedule"),
        ("daily", "'' is not a time of day"),
        ("daily 24:00", "'24:00' is not a time of day"),
        ("daily 2", "'2' is not a time of day"),
        ("daily 02:60", "is not a time of day"),
        ("weekly", "is not a schedule"),
        ("mon,xyz 02:00", "names no days"),
        ("monthly 32 04:00", "are not days of a month"),
        ("monthly 04:00", "are not days of a month"),
        ("monthly 0 04:00", "are not days of a month"),
        ("every", "is not an interval"),
        ("every 0m", "is not an interval"),
        ("every 367d", "is not an interval"),
        ("every 99999h", "is not an interval"),
        ("every -5m", "is not an interval"),
        ("daily 02:30; manually", "stands alone"),
        ("; ".join(["daily 02:30"] * 21), "too long"),
        ("daily " + "02:30," * 400, "too long"),
        ("cron 30 2 * *", "has not five fields"),
        ("cron 60 2 * * *", "'60' is not a minute of cron"),
        ("cron 30 24 * * *", "is not a hour of cron"),
        ("cron 30 2 0 * *", "is not a day of the month"),
        ("cron 30 2 * 13 *", "is not a month"),
        ("cron 30 2 * * 8", "is not a day of the week"),
        ("cron 30 2 * * mon#6", "is not a day of the week"),
        ("cron */0 2 * * *", "'*/0' is not a minute"),
        ("cron 5-1 2 * * *", "'5-1' is not a minute"),
        ("cron ٣ 2 * * *", "is not a minute"),
        ("cron @reboot", "has not five fields"),
        ("cron 0 0 31 2 *", "names no day that ever comes"),
    ],
)
def test_what_is_no_schedule_says_how_to_write_one(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_schedule(text)
    assert said in str(error.value)


FIELDS = (
    st.sampled_from(["*", "0", "30", "*/30", "*/7", "5,35", "10-20/5", "59", "20/15"]),
    st.sampled_from(["*", "0", "2", "*/2", "1-3", "2,14", "23", "0-5/2", "22/1"]),
    st.sampled_from(["*", "*", "1", "29", "31", "l", "LW", "1-7", "*/10", "15,L"]),
    st.sampled_from(["*", "*", "2", "3,10,11", "mar-apr", "JAN", "*/5"]),
    st.sampled_from(["*", "*", "0", "7", "sun", "mon-fri", "5#2", "5L", "1,3", "6#5"]),
)
EXPRESSIONS = st.tuples(*FIELDS).map(" ".join)
STARTS = st.integers(0, 35 * 365 * 24 * 60).map(
    lambda minutes: datetime(2005, 1, 1, tzinfo=UTC) + minutes * MINUTE
)
CHANGES = {  # close to which clocks are set
    "Europe/Berlin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-10-03T15:30", "2026-04-04T15:00"),
    "Pacific/Apia": ("2011-12-30T10:00", "2012-03-31T14:00"),
    "America/St_Johns": ("2010-11-07T02:31", "2010-03-14T03:31"),
    "America/Havana": ("2026-03-08T05:00", "2026-11-01T05:00"),
    "Africa/Casablanca": ("2026-02-15T02:00", "2026-03-22T02:00"),
    "America/Asuncion": ("2023-03-26T03:00", "2023-10-01T04:00"),
}


@st.composite
def near_a_change(draw: st.DrawFn) -> tuple[str, datetime]:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    change = datetime.fromisoformat(draw(st.sampled_from(CHANGES[zone]))).replace(tzinfo=UTC)
    return zone, change + draw(st.integers(-26 * 60, 2 * 60)) * MINUTE


def by_reading_the_clock(text: str, zone: ZoneInfo, start: datetime) -> Iterator[datetime]:
    """Yield the moments of two days, each found by what the clock shows, minute by minute."""
    fields = parse_cron(text)
    seen: set[datetime] = set()
    for minute in range(-24 * 60, 48 * 60):
        now = start + minute * MINUTE
        shown = [now.astimezone(zone).replace(tzinfo=None)]
        before = (now - MINUTE).astimezone(zone).replace(tzinfo=None)
        if not fields.is_by_clock_face:
            # What is skipped counts now, what is shown again does not count.
            shown = [one for one in _passed(before, shown[0]) if one not in seen]
            seen.update(shown)
        named = any(
            (one.hour, one.minute) in fields.times and fields.days.matches(one.date())
            for one in shown
        )
        if named and now > start:
            yield now


def _passed(before: datetime, shown: datetime) -> list[datetime]:
    """Return what a clock came to, or was set over, between two looks at it."""
    if shown <= before:
        return [shown]
    return [before + n * MINUTE for n in range(1, (shown - before) // MINUTE + 1)]


@given(EXPRESSIONS, near_a_change())
def test_cron_is_what_the_clock_shows(text: str, where: tuple[str, datetime]) -> None:
    name, start = where
    zone = ZoneInfo(name)
    schedule = parsed(text)
    if schedule is None:
        reject()
    found = Plan(schedule, zone).upcoming(None, start)
    until = start + timedelta(days=2)
    ours = []
    for one in found:
        if one >= until:
            break
        ours.append(one)
    assert ours == list(by_reading_the_clock(text, zone, start))


@given(EXPRESSIONS, st.sampled_from([BERLIN, "America/New_York", "Asia/Kolkata", "UTC"]), STARTS)
def test_cron_is_what_cronsim_says(text: str, name: str, start: datetime) -> None:
    zone = ZoneInfo(name)
    assume(not start.astimezone(zone).fold)  # of which cronsim goes back to what was before it
    said = [one.astimezone(UTC) for one in islice(cronsim(text, start.astimezone(zone)), 5)]
    schedule = parsed(text)
    if schedule is None:
        assert said == []
    else:
        assert list(islice(Plan(schedule, zone).upcoming(None, start), 5)) == said


def parsed(text: str) -> Schedule | None:
    """Read an expression; None for one that names no day that ever comes."""
    with suppress(UsageError):
        return parse_schedule(f"cron {text}")
    return None


def cronsim(text: str, start: datetime) -> Iterator[datetime]:
    try:
        return CronSim(text, start)
    except CronSimError:
        return iter(())
