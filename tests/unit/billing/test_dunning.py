"""What is told, and when, on the way from a failed payment to the deletion."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.dunning import (
    DAY,
    DELETION_NOTICE,
    Debt,
    NoticeKind,
    Step,
    notices_of,
    over_cap_notices,
)

SINCE = datetime(2026, 1, 31, 8, 15, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def told(debt: Debt, *, days: int, announced_at: datetime | None = None) -> list[tuple[str, int]]:
    """Return each kind with its day, looking once an hour from the beginning to a day."""
    keys: dict[str, tuple[str, int]] = {}
    for hour in range(24 * days + 1):
        now = debt.since + timedelta(hours=hour)
        for notice in notices_of(debt, now, announced_at=announced_at):
            keys.setdefault(notice.key, (notice.kind.value, hour // 24))
    return list(keys.values())


def test_the_notices_of_a_customer_who_never_pays() -> None:
    assert told(Debt(SINCE), days=120) == [
        ("payment-failed", 0),
        ("payment-failed", 7),
        ("payment-failed", 13),
        ("payment-read-only", 15),
        ("payment-read-only", 29),
        ("payment-read-only", 43),
        ("payment-read-only", 57),
        ("payment-deletion-announced", 61),
        ("payment-restore-only", 68),
        ("payment-restore-only", 75),
        ("payment-restore-only", 82),
        ("payment-restore-only", 89),
        ("payment-restores-ended", 91),
    ]


def test_what_was_missed_is_not_made_up_for_but_the_announcement_is() -> None:
    late = notices_of(Debt(SINCE), SINCE + 300 * DAY)
    assert [notice.kind for notice in late] == [
        NoticeKind.RESTORES_ENDED,
        NoticeKind.DELETION_ANNOUNCED,
    ]


def test_the_announcement_is_due_to_the_second_on_day_61_until_it_was_made() -> None:
    debt, moment = Debt(SINCE), SINCE + 61 * DAY
    kinds = [{notice.kind for notice in notices_of(debt, at)} for at in (moment - SECOND, moment)]
    assert [NoticeKind.DELETION_ANNOUNCED in found for found in kinds] == [False, True]
    assert notices_of(debt, moment, announced_at=moment) == []


@pytest.mark.parametrize(
    ("announced_day", "due_day"), [(None, None), (61, 92), (62, 93), (200, 231)]
)
def test_nothing_is_deleted_that_was_not_announced_31_days_ahead(
    announced_day: int | None, due_day: int | None
) -> None:
    announced = None if announced_day is None else SINCE + announced_day * DAY
    due = Debt(SINCE).deletion_due(announced)
    assert due == (None if due_day is None else SINCE + due_day * DAY)


def test_granted_days_put_the_deletion_off_too() -> None:
    debt = Debt(SINCE, extra_days=30)
    assert debt.deletion_due(SINCE + 61 * DAY) == SINCE + 121 * DAY


def test_a_step_that_staff_put_off_is_told_again_when_it_comes() -> None:
    first = notices_of(Debt(SINCE), SINCE + 15 * DAY)
    again = notices_of(Debt(SINCE, extra_days=14), SINCE + 29 * DAY)
    assert [notice.kind for notice in first + again] == [NoticeKind.READ_ONLY] * 2
    assert first[0].key != again[0].key


@given(
    retry=st.none() | st.integers(-1000, 10_000),
    extra=st.integers(0, 400),
    announced=st.integers(-100, 1000),
)
def test_steps_come_in_their_order_and_the_deletion_after_all(
    retry: int | None, extra: int, announced: int
) -> None:
    retry_at = None if retry is None else SINCE + timedelta(hours=retry)
    debt = Debt(SINCE, retry_at, extra)
    moments = [debt.begins(step) for step in Step if step is not Step.PAID]
    assert moments == sorted(moments)
    assert [debt.step(moment) for moment in moments[1:]][-1] is Step.ENDED
    told_at = SINCE + announced * DAY
    due = debt.deletion_due(told_at)
    assert due is not None
    assert due >= max(moments[-1], told_at + DELETION_NOTICE)


@given(st.integers(0, 24 * 130), st.integers(0, 30))
def test_a_key_belongs_to_one_moment(hour: int, extra: int) -> None:
    debt = Debt(SINCE, extra_days=extra)
    now = SINCE + timedelta(hours=hour)
    found = notices_of(debt, now)
    assert all(notice.due_at <= now for notice in found)
    assert len({notice.key for notice in found}) == len(found)
    other = notices_of(Debt(SINCE + SECOND, extra_days=extra), now + SECOND)
    assert not {notice.key for notice in found} & {notice.key for notice in other}


def test_over_the_cap_is_told_for_31_days_and_then_no_more() -> None:
    keys = [
        notice.key
        for hour in range(24 * 60)
        for notice in over_cap_notices(SINCE, SINCE + timedelta(hours=hour))
    ]
    days = ("20260131", "20260207", "20260214", "20260228")
    assert list(dict.fromkeys(keys)) == [f"over-cap:{day}T081500Z" for day in days]
    assert over_cap_notices(SINCE, SINCE + 31 * DAY) == []
    assert len(over_cap_notices(SINCE, SINCE + 31 * DAY - SECOND)) == 1
