"""What an unpaid or closed account may still do, day by day."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from billing.entitlements import Standing, Terms, entitlements

TERMS = Terms(quota=200_000_000_000, copies=2, device_limit=None, rooms=False)
FIRST_FAILURE = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ALL, READ_ONLY, RESTORE_ONLY, NONE = (
    (True,) * 3,
    (False, True, True),
    (False, False, True),
    (False,) * 3,
)


def rights(standing: Standing, after: timedelta) -> tuple[bool, bool, bool]:
    """Return whether one may store, remove and restore so long after the first failure."""
    found = entitlements(TERMS, standing, FIRST_FAILURE + after)
    return found.may_store, found.may_remove, found.may_restore


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(0), ALL),
        (timedelta(days=15) - SECOND, ALL),
        (timedelta(days=15), READ_ONLY),
        (timedelta(days=61) - SECOND, READ_ONLY),
        (timedelta(days=61), RESTORE_ONLY),
        (timedelta(days=91) - SECOND, RESTORE_ONLY),
        (timedelta(days=91), NONE),
        (timedelta(days=4000), NONE),
    ],
)
def test_each_step_begins_on_its_day(after: timedelta, expected: tuple[bool, bool, bool]) -> None:
    assert rights(Standing(is_open=True, unpaid_since=FIRST_FAILURE), after) == expected


def test_no_right_ever_comes_back_while_nothing_is_paid(chance: random.Random) -> None:
    unpaid = Standing(is_open=True, unpaid_since=FIRST_FAILURE)
    moments = sorted(timedelta(hours=chance.randrange(24 * 120)) for _ in range(500))
    seen = [rights(unpaid, moment) for moment in moments]
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("unpaid_since", [None, FIRST_FAILURE, FIRST_FAILURE - timedelta(days=400)])
def test_a_closed_account_is_frozen_and_can_be_restored_from(unpaid_since: datetime | None) -> None:
    standing = Standing(is_open=False, unpaid_since=unpaid_since)
    assert rights(standing, timedelta(days=20)) == RESTORE_ONLY


def test_whoever_has_paid_may_do_everything_for_ever() -> None:
    found = entitlements(TERMS, Standing(is_open=True), FIRST_FAILURE + timedelta(days=9000))
    assert (found.may_store, found.may_remove, found.may_restore, found.reason) == (*ALL, "")


@pytest.mark.parametrize("days", [15, 60, 61, 90, 91])
def test_every_refusal_has_a_reason_with_its_day(days: int) -> None:
    unpaid = Standing(is_open=True, unpaid_since=FIRST_FAILURE)
    found = entitlements(TERMS, unpaid, FIRST_FAILURE + timedelta(days=days))
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
