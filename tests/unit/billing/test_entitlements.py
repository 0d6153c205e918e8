"""What an account may still do: unpaid, closed, over its quota, and with what staff granted."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.dunning import DAY
from billing.entitlements import FROZEN, OVER_CAP, Extra, Held, Standing, Terms, entitlements

TERMS = Terms(quota=200_000_000_000, copies=2, device_limit=None, rooms=False)
FIRST_FAILURE = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GB = 10**9
ALL, READ_ONLY, RESTORE_ONLY, NONE = (
    (True,) * 3,
    (False, True, True),
    (False, False, True),
    (False,) * 3,
)
LADDER = [
    (timedelta(0), ALL, RESTORE_ONLY),
    (15 * DAY - SECOND, ALL, RESTORE_ONLY),
    (15 * DAY, READ_ONLY, RESTORE_ONLY),
    (61 * DAY - SECOND, READ_ONLY, RESTORE_ONLY),
    (61 * DAY, RESTORE_ONLY, RESTORE_ONLY),
    (91 * DAY - SECOND, RESTORE_ONLY, RESTORE_ONLY),
    (91 * DAY, NONE, NONE),
    (4000 * DAY, NONE, NONE),
]
# A clock change, a month's end, a leap day, a year's end: days are spans, so nothing differs.
BEGINNINGS = [
    FIRST_FAILURE,
    datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
    datetime(2027, 12, 31, 0, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
]


def rights(standing: Standing, now: datetime) -> tuple[bool, bool, bool]:
    """Return whether one may store, remove and restore."""
    found = entitlements(TERMS, standing, now)
    return found.may_store, found.may_remove, found.may_restore


@pytest.mark.parametrize("since", BEGINNINGS)
@pytest.mark.parametrize(("after", "active", "frozen"), LADDER)
def test_each_step_begins_on_its_day(
    since: datetime,
    after: timedelta,
    active: tuple[bool, bool, bool],
    frozen: tuple[bool, bool, bool],
) -> None:
    assert rights(Standing(is_open=True, unpaid_since=since), since + after) == active
    assert rights(Standing(is_open=False, unpaid_since=since), since + after) == frozen


@given(
    hours=st.lists(st.integers(0, 24 * 200), min_size=2, max_size=30),
    is_open=st.booleans(),
    retry_after=st.none() | st.integers(0, 24 * 200),
    grace=st.integers(0, 60),
    until=st.integers(0, 24 * 200),
    held=st.none() | st.integers(0, 400 * GB),
)
def test_nobody_ever_has_more_rights_after_more_days_unpaid(
    hours: list[int],
    is_open: bool,
    retry_after: int | None,
    grace: int,
    until: int,
    held: int | None,
) -> None:
    retry = None if retry_after is None else FIRST_FAILURE + timedelta(hours=retry_after)
    extra = Extra(5 * GB, grace, FIRST_FAILURE - DAY, FIRST_FAILURE + timedelta(hours=until))
    standing = Standing(
        is_open=is_open,
        unpaid_since=FIRST_FAILURE,
        retry_at=retry,
        extras=[extra],
        held=None if held is None else Held(held),
    )
    seen = [rights(standing, FIRST_FAILURE + timedelta(hours=hour)) for hour in sorted(hours)]
    for earlier, later in pairwise(seen):
        assert all(was or not now for was, now in zip(earlier, later, strict=True))


@given(
    hours=st.integers(0, 24 * 200),
    held=st.none() | st.integers(0, 400 * GB),
    is_open=st.booleans(),
    grace=st.integers(0, 60),
)
def test_a_grant_takes_nothing_and_a_debt_gives_nothing(
    hours: int, held: int | None, is_open: bool, grace: int
) -> None:
    now = FIRST_FAILURE + timedelta(hours=hours)
    kept = None if held is None else Held(held)
    extra = Extra(5 * GB, grace, FIRST_FAILURE, now + DAY)
    owing = Standing(is_open=is_open, unpaid_since=FIRST_FAILURE, held=kept)
    granted = Standing(is_open=is_open, unpaid_since=FIRST_FAILURE, held=kept, extras=[extra])
    paid = Standing(is_open=is_open, held=kept)
    for less, more in ((owing, granted), (owing, paid)):
        assert all(
            has or not had for had, has in zip(rights(less, now), rights(more, now), strict=True)
        )


def test_service_goes_on_while_stripe_has_an_attempt_planned() -> None:
    retry = FIRST_FAILURE + 40 * DAY
    standing = Standing(is_open=True, unpaid_since=FIRST_FAILURE, retry_at=retry)
    assert rights(standing, retry - SECOND) == ALL
    assert rights(standing, retry) == READ_ONLY
    for_ever = Standing(
        is_open=True, unpaid_since=FIRST_FAILURE, retry_at=FIRST_FAILURE + 400 * DAY
    )
    assert rights(for_ever, FIRST_FAILURE + 61 * DAY - SECOND) == ALL
    assert rights(for_ever, FIRST_FAILURE + 61 * DAY) == RESTORE_ONLY


def test_a_plan_that_is_paid_allows_everything_for_ever() -> None:
    found = entitlements(TERMS, Standing(is_open=True), FIRST_FAILURE + 9000 * DAY)
    assert (found.may_store, found.may_remove, found.may_restore, found.reason) == (*ALL, "")


@pytest.mark.parametrize("days", [15, 60, 61, 90, 91])
def test_every_refusal_has_a_reason_with_its_day(days: int) -> None:
    unpaid = Standing(is_open=True, unpaid_since=FIRST_FAILURE)
    found = entitlements(TERMS, unpaid, FIRST_FAILURE + days * DAY)
    assert found.reason.endswith(".")
    assert ("2026-05-31" in found.reason) == (61 <= days < 91)


def test_the_plan_is_told_as_it_is() -> None:
    found = entitlements(TERMS, Standing(is_open=True), FIRST_FAILURE)
    assert (found.quota, found.copies, found.device_limit, found.rooms) == (
        2 * 10**11,
        2,
        None,
        False,
    )


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (Held(200 * GB), ALL),
        (Held(200 * GB + 1), READ_ONLY),
        (Held(0, removed=400 * GB), ALL),  # removed bytes are free up to the plan's size
        (Held(1, removed=400 * GB), READ_ONLY),
    ],
)
def test_over_the_quota_nothing_new_is_stored_and_nothing_taken_away(
    held: Held, expected: tuple[bool, bool, bool]
) -> None:
    standing = Standing(is_open=True, held=held)
    assert rights(standing, FIRST_FAILURE) == expected
    assert rights(standing, FIRST_FAILURE + 4000 * DAY) == expected
    reason = entitlements(TERMS, standing, FIRST_FAILURE).reason
    assert reason == ("" if expected is ALL else OVER_CAP)


def test_of_two_reasons_the_payment_is_told_first_and_frozen_before_it() -> None:
    now = FIRST_FAILURE + 20 * DAY
    over = Held(300 * GB)
    owing = Standing(is_open=True, unpaid_since=FIRST_FAILURE, held=over)
    assert "overdue" in entitlements(TERMS, owing, now).reason
    frozen = Standing(is_open=False, unpaid_since=FIRST_FAILURE, held=over)
    assert entitlements(TERMS, frozen, now).reason == FROZEN


def test_a_grant_holds_from_its_first_to_its_last_second() -> None:
    extra = Extra(10 * GB, 0, FIRST_FAILURE, FIRST_FAILURE + 14 * DAY)
    standing = Standing(is_open=True, extras=[extra, extra], held=Held(215 * GB))
    quotas = {
        after: entitlements(TERMS, standing, FIRST_FAILURE + after).quota // GB
        for after in (-SECOND, 0 * DAY, 14 * DAY - SECOND, 14 * DAY)
    }
    assert list(quotas.values()) == [200, 220, 220, 200]
    assert rights(standing, FIRST_FAILURE) == ALL
    assert rights(standing, FIRST_FAILURE + 14 * DAY) == READ_ONLY


def test_granted_days_put_every_step_off() -> None:
    extra = Extra(0, 14, FIRST_FAILURE, FIRST_FAILURE + 400 * DAY)
    standing = Standing(is_open=True, unpaid_since=FIRST_FAILURE, extras=[extra])
    for days, before, from_then in (
        (15, ALL, READ_ONLY),
        (61, READ_ONLY, RESTORE_ONLY),
        (91, RESTORE_ONLY, NONE),
    ):
        moment = FIRST_FAILURE + (days + 14) * DAY
        assert rights(standing, moment - SECOND) == before
        assert rights(standing, moment) == from_then
