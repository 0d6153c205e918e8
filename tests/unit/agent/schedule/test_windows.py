"""At which hours runs may begin, by what the clock on the wall shows."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.errors import UsageError
from nightsafe.schedule.parsing import parse_schedule
from nightsafe.schedule.plan import Plan
from nightsafe.schedule.windows import OpenHours, parse_window

from tests.unit.agent.schedule.test_rules import BERLIN, MINUTE, near_a_change

WINDOWS = ("22:00-06:00", "02:30-03:00", "mon-fri 18:00-24:00", "sun 00:00-00:00", "01:15-02:45")


def hours(*windows: str, blackouts: tuple[str, ...] = ()) -> OpenHours:
    return OpenHours([*map(parse_window, windows)], [*map(parse_window, blackouts)])


def upcoming(text: str, open_hours: OpenHours, start: str, count: int) -> list[str]:
    zone = ZoneInfo(BERLIN)
    plan = Plan(parse_schedule(text), zone, open_hours)
    found = plan.upcoming(None, datetime.fromisoformat(start).replace(tzinfo=zone))
    return [f"{one.astimezone(zone):%m-%d %H:%M%z}" for one in islice(found, count)]


def test_what_is_due_outside_waits_for_the_hours_and_is_one_run() -> None:
    night = hours("22:00-06:00")
    assert upcoming("daily 12:00,18:00", night, "2026-11-27T08:00", 2) == [
        *("11-27 22:00+0100", "11-28 22:00+0100"),
    ]
    assert upcoming("every 3h", night, "2026-11-27T22:30", 4) == [
        *("11-28 01:30+0100", "11-28 04:30+0100", "11-28 22:00+0100", "11-29 01:00+0100"),
    ]


def test_blackouts_are_taken_out_of_all_hours_or_of_windows() -> None:
    assert upcoming(
        "daily 12:00", hours(blackouts=("mon-fri 9:00-17:00",)), "2026-11-27T08:00", 2
    ) == [
        *("11-27 17:00+0100", "11-28 12:00+0100"),
    ]
    evening = hours("18:00-24:00", blackouts=("fri 18:00-20:00",))
    assert upcoming("daily 12:00", evening, "2026-11-27T08:00", 1) == ["11-27 20:00+0100"]


def test_in_the_night_that_skips_a_window_it_is_not_open() -> None:
    found = upcoming("daily 01:00", hours("02:00-03:00"), "2026-03-28T12:00", 2)
    assert found == ["03-30 02:00+0200", "03-31 02:00+0200"]


def test_a_window_that_the_clocks_cut_opens_when_they_are_set() -> None:
    found = upcoming("daily 01:00", hours("02:30-04:00"), "2026-03-28T12:00", 1)
    assert found == ["03-29 03:00+0200"]


def test_in_the_night_with_an_hour_twice_it_is_open_twice_as_long() -> None:
    found = upcoming("every 30m", hours("02:00-03:00"), "2026-10-25T01:45", 5)
    assert found == [
        *("10-25 02:15+0200", "10-25 02:45+0200", "10-25 02:15+0100", "10-25 02:45+0100"),
        "10-26 02:00+0100",
    ]


def test_equal_ends_are_a_whole_day() -> None:
    found = upcoming("daily 12:00", hours("sun 00:00-00:00"), "2026-11-27T08:00", 1)
    assert found == ["11-29 00:00+0100"]


def test_seconds_within_an_open_minute_wait_for_nothing() -> None:
    moment = datetime(2026, 11, 27, 21, 0, 30, 5, tzinfo=UTC)  # 22:00 in Berlin
    assert hours("22:00-23:00").opening(moment, ZoneInfo(BERLIN)) == moment
    before = moment - timedelta(minutes=3)
    opened = hours("22:00-23:00").opening(before, ZoneInfo(BERLIN))
    assert opened == moment.replace(second=0, microsecond=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no span of time"),
        ("22:00", "is no span of time"),
        ("22:00-25:00", "is not a time of day"),
        ("24:00-06:00", "is not a time of day"),
        ("someday 22:00-06:00", "names no days"),
    ],
)
def test_what_is_no_window_says_how_to_write_one(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_window(text)
    assert said in str(error.value)


def test_blackouts_that_leave_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="No hour is left"):
        hours("22:00-06:00", blackouts=("21:00-07:00",))


@given(
    st.lists(st.sampled_from(WINDOWS), max_size=2),
    st.lists(st.sampled_from(WINDOWS[1:]), max_size=2),
    near_a_change(),
)
def test_the_opening_is_the_first_open_minute(
    windows: list[str], blackouts: list[str], where: tuple[str, datetime]
) -> None:
    name, start = where
    zone = ZoneInfo(name)
    try:
        open_hours = hours(*windows, blackouts=tuple(blackouts))
    except UsageError:  # nothing is left
        return
    found = open_hours.opening(start, zone)
    moment = start
    while not open_hours.is_open(moment, zone):
        moment += MINUTE
    assert found == moment
