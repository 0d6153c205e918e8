"""When people are told, to the second and to the byte."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.notices import schedule

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("since", "told", "due"),
    [
        (NOW + SECOND, None, False),
        (NOW, None, True),
        (NOW - 6 * DAY, NOW - 6 * DAY, False),
        (NOW - 7 * DAY, NOW - 7 * DAY, True),
        (NOW - 8 * DAY, NOW - 7 * DAY + SECOND, False),
        (NOW - DAY, NOW - 3 * DAY, True),  # told of an earlier time that is mended
        (NOW - 400 * DAY, NOW - 30 * DAY, False),
        (NOW - 400 * DAY, None, False),
    ],
)
def test_reminders(since: datetime, told: datetime | None, due: bool) -> None:
    assert schedule.is_reminder_due(since=since, told_at=told, now=NOW) is due


@pytest.mark.parametrize(
    ("charged", "quota", "level"),
    [
        (0, 100, 0),
        (79, 100, 0),
        (80, 100, 80),
        (94, 100, 80),
        (95, 100, 95),
        (99, 100, 95),
        (100, 100, 100),
        (500, 100, 100),
        (0, 0, 0),
        (1, 0, 100),
        (7_999_999_999, 10_000_000_000, 0),
        (8_000_000_000, 10_000_000_000, 80),
    ],
)
def test_levels(charged: int, quota: int, level: int) -> None:
    assert schedule.level_of(charged, quota) == level


@given(st.integers(0, 2 * 10**12), st.integers(1, 10**12), st.sampled_from([0, 80, 95, 100]))
def test_a_level_that_was_told_is_not_told_again_at_its_edge(
    charged: int, quota: int, told: int
) -> None:
    kept = schedule.kept_level(told, charged, quota)
    assert kept <= told
    if schedule.level_of(charged, quota) >= told:
        assert kept == told  # it is still as full as that
    if 100 * charged < (told - 2 * schedule.CALM) * quota:
        assert kept < told or told == 0
