"""From Stripe's objects to one reading: every status, and what is owed since when."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.stripe.reading import Reading, plan_of_price, read

START, END = 1_770_000_000, 1_772_000_000


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def price(plan: str = "personal", interval: str = "month", **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"nightsafe_plan": plan},
        "lookup_key": None,
        "recurring": {"interval": interval},
        **more,
    }


def subscription(status: str, name: str = "sub_1", **more: Any) -> dict[str, Any]:
    item = {"price": price(), "current_period_start": START, "current_period_end": END}
    made = {
        "id": name,
        "status": status,
        "created": START,
        "items": {"data": [item]},
        "cancellation_details": {"reason": None},
    }
    return made | more


def invoice(status: str = "open", name: str = "sub_1", **more: Any) -> dict[str, Any]:
    made = {
        "status": status,
        "created": START,
        "attempt_count": 1,
        "next_payment_attempt": None,
        "status_transitions": {"finalized_at": START + 3600},
        "parent": {"subscription_details": {"subscription": name}},
    }
    return made | more


@pytest.mark.parametrize(
    ("status", "counts", "owes"),
    [
        ("active", True, False),
        ("trialing", True, False),
        ("past_due", True, True),
        ("unpaid", True, True),
        ("canceled", False, False),
        ("incomplete", False, False),
        ("incomplete_expired", False, False),
        ("paused", False, False),
    ],
)
@pytest.mark.parametrize("owed", [False, True])
def test_every_status(status: str, counts: bool, owes: bool, owed: bool) -> None:
    found = read([subscription(status)], [invoice()] if owed else [])
    assert bool(found.subscription) == counts
    expected = START + 3600 if owed else START  # without an invoice, from the period's beginning
    assert found.unpaid_since == (at(expected) if owes else None)
    if counts:
        assert (found.plan, found.interval, found.period_ends_at) == ("personal", "month", at(END))


@pytest.mark.parametrize("reason", ["payment_failed", "payment_disputed", "cancellation_requested"])
@pytest.mark.parametrize("status", ["open", "uncollectible", "paid", "void"])
def test_one_that_was_ended_for_not_paying_counts_while_it_is_owed(
    reason: str, status: str
) -> None:
    ended = subscription("canceled", cancellation_details={"reason": reason})
    found = read([ended], [invoice(status)])
    owes = reason != "cancellation_requested" and status in ("open", "uncollectible")
    assert found.unpaid_since == (at(START + 3600) if owes else None)
    assert found.subscription == ("sub_1" if owes else "")


def test_a_new_one_counts_before_one_that_is_owed() -> None:
    ended = subscription("canceled", cancellation_details={"reason": "payment_failed"})
    fresh = subscription("active", "sub_2", created=START + 100)
    found = read([fresh, ended], [invoice()])
    assert (found.subscription, found.unpaid_since, found.extra) == ("sub_2", None, ())


def test_of_two_the_paid_one_counts_and_then_the_first() -> None:
    late = subscription("active", "sub_late", created=START + 100)
    early = subscription("active", "sub_early")
    owing = subscription("past_due", "sub_owing", created=START - 100)
    found = read([late, owing, early], [])
    assert (found.subscription, found.extra) == ("sub_early", ("sub_late", "sub_owing"))
    assert read([late, owing, early], [], known="sub_late").subscription == "sub_late"
    assert read([late, owing, early], [], known="sub_owing").subscription == "sub_early"


def test_the_first_failure_counts_and_the_latest_plan_to_try_again() -> None:
    invoices = [
        invoice(created=START + 9, status_transitions={"finalized_at": START + 9999}),
        invoice(created=START + 5, next_payment_attempt=END),
        invoice(created=START + 1, attempt_count=0, status_transitions={"finalized_at": START}),
        invoice(name="sub_other", created=START),
    ]
    found = read([subscription("past_due")], invoices)
    assert (found.unpaid_since, found.retry_at) == (at(START + 3600), at(END))


def test_what_is_planned_is_told_unless_it_is_the_same() -> None:
    def later(plan: str, status: str = "active") -> Reading:
        phases = [{"items": [{"price": price()}]}, {"items": [{"price": price(plan)}]}]
        return read([subscription("active")], [], schedule={"status": status, "phases": phases})

    assert (later("free-ish").scheduled_plan, later("free-ish").scheduled_interval) == (
        "free-ish",
        "month",
    )
    assert later("personal").scheduled_plan == ""
    assert later("plus", "released").scheduled_plan == ""
    assert read([subscription("active")], [], schedule={"status": "active"}).scheduled_plan == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (price(), ("personal", "month")),
        (price(metadata={}, lookup_key="nightsafe-plus-year", interval="year"), ("plus", "year")),
        (price(metadata={}, lookup_key="someone-else"), ("", "month")),
        (price(metadata=None, interval="week"), ("", "")),
        ({}, ("", "")),
    ],
)
def test_the_plan_of_a_price(given: dict[str, Any], expected: tuple[str, str]) -> None:
    assert plan_of_price(given) == expected


@pytest.mark.parametrize("more", [{"cancel_at_period_end": True}, {"cancel_at": END}])
def test_an_end_that_is_planned(more: dict[str, Any]) -> None:
    assert read([subscription("active", **more)], []).cancels_at_period_end
