"""When a plan will be full, from what was stored day by day."""

import random
from datetime import date, timedelta

import pytest

from storage.vault_status.forecast import Sample, forecast

TODAY = date(2027, 2, 1)
GB = 10**9


def days(*sizes: int, step: int = 1) -> list[Sample]:
    """Return samples up to today, `step` days apart."""
    begin = len(sizes) - 1
    return [(TODAY - timedelta(days=step * (begin - n)), size) for n, size in enumerate(sizes)]


def test_a_steady_growth_goes_on() -> None:
    found = forecast(days(*range(0, 30 * GB, GB)), quota=70 * GB)
    assert found is not None
    assert found.rate == GB
    assert found.full_on == TODAY + timedelta(days=41)


def test_the_order_of_samples_does_not_matter() -> None:
    samples = days(*range(0, 30 * GB, GB))
    shuffled = random.sample(samples, len(samples))
    assert forecast(shuffled, quota=70 * GB) == forecast(samples, quota=70 * GB)


def test_a_first_big_backup_is_no_trend() -> None:
    found = forecast(days(*[0] * 10, *[90 * GB] * 20), quota=100 * GB)
    assert found is not None
    assert (found.rate, found.full_on) == (0, None)


@pytest.mark.parametrize("odd", [0, 60 * GB])
def test_odd_days_change_little(odd: int) -> None:
    sizes = list(range(10 * GB, 40 * GB, GB))
    for n in (3, 11, 17, 24):
        sizes[n] = odd
    found = forecast(days(*sizes), quota=69 * GB)
    assert found is not None
    assert found.rate == pytest.approx(GB, rel=0.1)
    assert found.full_on is not None
    assert abs(found.full_on - TODAY - timedelta(days=30)) <= timedelta(days=3)


def test_what_is_older_than_the_window_is_left_out() -> None:
    old = [(TODAY - timedelta(days=40 + n), 50 * GB) for n in range(30)]
    found = forecast([*old, *days(*[GB] * 25)], quota=70 * GB)
    assert found is not None
    assert found.rate == 0


def test_missing_days_do_no_harm() -> None:
    found = forecast(days(*range(0, 10 * GB, GB), step=3), quota=10 * GB)
    assert found is not None
    assert found.rate == pytest.approx(GB / 3)


@pytest.mark.parametrize(
    "samples",
    [[], days(GB), days(*range(0, 6 * GB, GB), step=5), days(*range(0, 9 * GB, GB))],
    ids=["none", "one", "too few", "too short a time"],
)
def test_too_little_says_nothing(samples: list[Sample]) -> None:
    assert forecast(samples, quota=100 * GB) is None


def test_a_full_plan_needs_no_forecast() -> None:
    assert forecast(days(*range(0, 30 * GB, GB)), quota=29 * GB) is None


def test_what_is_too_far_away_has_no_day() -> None:
    found = forecast(days(*range(0, 30 * 10**6, 10**6)), quota=2000 * GB)
    assert found is not None
    assert found.full_on is None
    assert found.rate > 0


def test_less_and_less_has_no_day() -> None:
    found = forecast(days(*range(60 * GB, 30 * GB, -GB)), quota=100 * GB)
    assert found is not None
    assert found.rate < 0
    assert found.full_on is None
