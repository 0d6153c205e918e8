"""How often a device backs up, learnt from its runs, and when it is late; summer time included."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from storage.vaults.lateness import grace, late_from, learnt, next_expected

START = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def runs(*pauses: timedelta) -> list[datetime]:
    found = [START]
    for pause in pauses:
        found.append(found[-1] + pause)
    return found


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ([], None),
        ([DAY, DAY], None),
        ([DAY] * 3, DAY),
        ([HOUR] * 12, DAY),  # by day; by night it sleeps
        ([7 * DAY] * 4, 7 * DAY),
        ([7 * DAY, HOUR, HOUR] * 4, 7 * DAY),  # three snapshots in a run
        ([DAY, DAY, DAY, DAY, 3 * DAY] * 3, 3 * DAY),  # an office
        ([DAY] * 11 + [20 * DAY], DAY),  # a holiday
        ([60 * DAY] * 4, 31 * DAY),
        ([365 * DAY] + [DAY] * 12, DAY),  # what was long ago
    ],
)
def test_what_is_learnt(pauses: list[timedelta], expected: timedelta | None) -> None:
    assert learnt(runs(*pauses)) == expected
    assert learnt(runs(*pauses)[::-1]) == expected


def test_as_before_where_nothing_is_known() -> None:
    assert late_from(START, None) - START == 2 * DAY
    assert next_expected(START, None) - START == DAY


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(HOUR, HOUR), (6 * HOUR, 6 * HOUR), (DAY, DAY), (7 * DAY, 3 * DAY), (31 * DAY, 3 * DAY)],
)
def test_grace(interval: timedelta, expected: timedelta) -> None:
    assert grace(interval) == expected


@pytest.mark.parametrize("at", [(2, 30), (0, 0), (23, 59)])
def test_a_night_run_is_never_late_in_any_night_of_the_year(at: tuple[int, int]) -> None:
    """At half past two by the wall, which on one night is not there and on another comes twice."""
    nights = [
        datetime(2026, 1, 1, *at, tzinfo=BERLIN).replace(tzinfo=None) + timedelta(days=n)
        for n in range(366)
    ]
    moments = [night.replace(tzinfo=BERLIN).astimezone(UTC) for night in nights]
    for before, after in itertools.pairwise(moments):
        assert after < late_from(before, DAY)
    assert {after - before for before, after in itertools.pairwise(moments)} == {
        timedelta(hours=23),
        timedelta(hours=24),
        timedelta(hours=25),
    }
    for n in range(13, 366):
        interval = learnt(moments[n - 13 : n])
        assert interval is not None
        assert DAY <= interval <= timedelta(hours=25)


def test_an_hourly_run_over_the_doubled_hour() -> None:
    first = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 in Berlin, and an hour later again
    assert first + HOUR < late_from(first, HOUR)
    assert first + 2 * HOUR == late_from(first, HOUR)
