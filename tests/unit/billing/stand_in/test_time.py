"""Renewals, failing cards and further attempts, by a clock that is moved."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from billing.stand_in.business.periods import period_at
from tests.support.billing.stand_in import DAY, Browser, StandIn, running
from tests.unit.billing.stand_in.conftest import Shop


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("anchor", "interval", "ends"),
    [
        ("2026-01-31T10:00", "month", ["2026-02-28", "2026-03-31", "2026-04-30"]),
        ("2028-01-31T10:00", "month", ["2028-02-29", "2028-03-31", "2028-04-30"]),
        ("2026-12-15T23:59", "month", ["2027-01-15", "2027-02-15", "2027-03-15"]),
        ("2028-02-29T00:00", "year", ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
    ],
)
def test_periods_end_on_the_same_day_or_the_last_one(
    anchor: str, interval: str, ends: list[str]
) -> None:
    begun = now = moment(anchor)
    for end in ends:
        start, now = period_at(begun, interval, now)
        assert start < now
        assert f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}" == end


def test_a_year_in_one_step_is_the_same_as_month_by_month(shop: Shop, stand_in: StandIn) -> None:
    sub = shop.buy()
    stand_in.travel(366 * DAY)
    now = shop.only(sub.customer)
    assert now.status == "active"
    found = shop.invoices(sub.customer)
    assert len(found) == 13
    assert [invoice.amount_paid for invoice in found] == [500] * 13
    finalised = [invoice.status_transitions.finalized_at or 0 for invoice in found]
    gaps = [late - early for late, early in pairwise(finalised)]
    assert all(28 * DAY <= gap <= 31 * DAY for gap in gaps)


def test_a_card_that_fails_is_tried_four_times_and_then_it_is_unpaid(
    shop: Shop, stand_in: StandIn
) -> None:
    sub, browser = shop.buy(), Browser()
    browser.post(shop.portal(sub.customer), act="card", number="4000000000000341")
    end = shop.only(sub.customer)["items"].data[0].current_period_end
    start = sub["items"].data[0].current_period_start
    seen = []
    stand_in.travel(end - start + 60)
    for days in (0, 3, 4, 7):
        stand_in.travel(days * DAY)
        (invoice,) = [one for one in shop.invoices(sub.customer) if one.status == "open"]
        planned = invoice.next_payment_attempt
        after = None if planned is None else round((planned - end) / DAY)
        seen.append((shop.only(sub.customer).status, invoice.attempt_count, after))
    assert seen == [
        ("past_due", 1, 3),
        ("past_due", 2, 7),
        ("past_due", 3, 14),
        ("unpaid", 4, None),
    ]
    stand_in.travel(70 * DAY)
    assert len([one for one in shop.invoices(sub.customer) if one.status == "open"]) == 1
    assert "declined" in browser.post(invoice.hosted_invoice_url or "", number="4000000000000002")
    browser.post(invoice.hosted_invoice_url or "", number="4242424242424242")
    assert shop.only(sub.customer).status == "active"
    assert shop.only(sub.customer)["items"].data[0].current_period_end > end + 70 * DAY


def test_it_may_be_cancelled_after_the_last_attempt_instead(tmp_path: Path) -> None:
    with running(tmp_path, after_retries="cancel") as stand_in:
        stripe = stand_in.client()
        product = stripe.v1.products.create({"name": "Small"})
        price = stripe.v1.prices.create(
            {
                "product": product.id,
                "currency": "usd",
                "unit_amount": 500,
                "recurring": {"interval": "month"},
            }
        )
        shop = Shop(stripe, {"small-month": price.id})
        sub = shop.buy()
        stripe.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": sub.customer})
        stripe.v1.subscriptions.update(sub.id, {"default_payment_method": ""})
        stand_in.travel(50 * DAY)
        ended = shop.only(sub.customer)
        assert ended.status == "canceled"
        assert ended.cancellation_details is not None
        assert ended.cancellation_details.reason == "payment_failed"


def test_a_card_that_wants_its_owner_each_time_fails_at_the_renewal(
    shop: Shop, stand_in: StandIn
) -> None:
    once, always = shop.buy(number="4000002500003155"), shop.buy(number="4000002760003184")
    stand_in.travel(32 * DAY)
    assert shop.only(once.customer).status == "active"
    assert shop.only(always.customer).status == "past_due"
    (invoice,) = [one for one in shop.invoices(always.customer) if one.status == "open"]
    browser, address = Browser(), invoice.hosted_invoice_url or ""
    assert "3-D Secure" in browser.post(address, number="4000002760003184")
    browser.post(address, number="4000002760003184", answer="yes")
    assert shop.only(always.customer).status == "active"


def test_a_first_payment_that_is_not_completed_is_given_up(shop: Shop, stand_in: StandIn) -> None:
    customer = shop.customer(payment_method="pm_card_authenticationRequired")
    sub = shop.stripe.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": shop.prices["small-month"]}]}
    )
    assert sub.status == "incomplete"
    stand_in.travel(DAY)
    assert shop.only(customer).status == "incomplete_expired"
