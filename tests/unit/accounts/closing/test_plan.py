"""What becomes of a closed account, and of one that nobody uses, over all days."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.closing import plan
from accounts.models import Closing

Step = Closing.Step
AT = datetime(2028, 2, 1, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def closing(step: Step = Step.COOLING, **fields: object) -> Closing:
    return Closing(closed_at=AT, erase_after=AT + 30 * DAY, step=step, **fields)


@pytest.mark.parametrize(
    ("after", "reopens", "erases", "reminded"),
    [
        (timedelta(0), True, False, None),
        (23 * DAY - SECOND, True, False, None),
        (23 * DAY, True, False, 7),
        (29 * DAY - SECOND, True, False, 7),
        (29 * DAY, True, False, 1),
        (30 * DAY - SECOND, True, False, 1),
        (30 * DAY, False, True, None),
        (400 * DAY, False, True, None),
    ],
)
def test_each_day_of_the_cooling_off(
    after: timedelta, reopens: bool, erases: bool, reminded: int | None
) -> None:
    now, seen = AT + after, AT + after - 30 * DAY
    assert plan.may_reopen(closing(), now) == reopens
    assert plan.may_erase(closing(), now, grace_began_before=seen) == erases
    assert plan.reminder(closing(), now) == reminded


@pytest.mark.parametrize("step", list(Step))
def test_every_step(step: Step) -> None:
    row, late = closing(step), AT + 40 * DAY
    assert plan.may_reopen(row, AT) == (step in (Step.SUBSCRIPTION, Step.COOLING))
    assert plan.may_erase(row, late, grace_began_before=late) == (step is Step.COOLING)
    if step is Step.ENDED:
        with pytest.raises(IndexError):
            plan.following(step)
    else:
        assert plan.ORDER.index(plan.following(step)) == plan.ORDER.index(step) + 1


def test_time_that_nobody_saw_and_a_doubt_hold_it_up() -> None:
    late = AT + 40 * DAY
    assert not plan.may_erase(closing(), late, grace_began_before=AT - SECOND)
    assert not plan.may_erase(closing(), late, grace_began_before=late, everything=False)


def test_staff_need_not_wait_and_nobody_comes_back() -> None:
    row = Closing(closed_at=AT, erase_after=AT + DAY, step=Step.COOLING, is_hastened=True)
    assert plan.may_erase(row, AT + DAY, grace_began_before=AT - 90 * DAY)
    assert not plan.may_reopen(row, AT)
    assert plan.reminder(row, AT) is None


@pytest.mark.parametrize(
    ("told", "now", "notice", "closes"),
    [
        ((), 305 * DAY - SECOND, None, False),
        ((), 305 * DAY, 0, False),
        ((305,), 335 * DAY - SECOND, None, False),
        ((305,), 335 * DAY, 1, False),
        ((305, 335), 358 * DAY, 2, False),
        ((305, 335, 358), 365 * DAY - SECOND, None, False),
        ((305, 335, 358), 365 * DAY, None, True),
        # Told late, after the service stood still: the days are counted from then.
        ((400,), 430 * DAY - SECOND, None, False),
        ((400,), 430 * DAY, 1, False),
        ((400, 430, 500), 507 * DAY - SECOND, None, False),
        ((400, 430, 500), 507 * DAY, None, True),
    ],
)
def test_a_year_without_use(
    told: tuple[int, ...], now: timedelta, notice: int | None, closes: bool
) -> None:
    found = plan.unused(AT, [AT + days * DAY for days in told], AT + now)
    assert (found.notice, found.closes) == (notice, closes)


@given(st.lists(st.integers(0, 2000), min_size=3, max_size=3), st.integers(0, 5000))
def test_nothing_is_closed_before_the_days_that_were_told(days: list[int], now: int) -> None:
    told = [AT + day * DAY for day in sorted(days)]
    if plan.unused(AT, told, AT + now * DAY).closes:
        assert now >= 365
        for at, named in zip(told, plan.INACTIVE_NOTICES, strict=True):
            assert AT + now * DAY >= at + named * DAY
