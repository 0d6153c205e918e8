"""The portal: up at once, down at the end, cancelled with a reason, another card."""

from tests.support.billing.stand_in import DAY, Browser, StandIn
from tests.unit.billing.stand_in.conftest import Shop


def price_of(shop: Shop, customer: str) -> str:
    found = shop.only(customer)["items"].data[0].price.lookup_key
    return str(found)


def test_up_is_at_once_and_the_difference_is_paid(shop: Shop, stand_in: StandIn) -> None:
    sub, browser = shop.buy(), Browser()
    stand_in.travel(10 * DAY)
    portal = shop.portal(sub.customer)
    assert "Small" not in browser.get(portal) or "no real money" in browser.last
    browser.post(portal, act="change", subscription=sub.id, price=shop.prices["big-month"])
    assert browser.status == 303
    assert price_of(shop, sub.customer) == "big-month"
    newest = shop.invoices(sub.customer)[0]
    assert newest.billing_reason == "subscription_update"
    assert 300 < newest.amount_paid < 360  # two thirds of a month's difference
    assert [line.amount < 0 for line in newest.lines.data] == [True, False]
    browser.post(portal, act="change", subscription=sub.id, price=shop.prices["big-year"])
    now = shop.only(sub.customer)["items"].data[0]
    assert now.price.lookup_key == "big-year"
    assert 364 * DAY < now.current_period_end - now.current_period_start < 367 * DAY


def test_a_card_that_fails_changes_nothing(shop: Shop) -> None:
    sub, browser = shop.buy(), Browser()
    portal = shop.portal(sub.customer)
    browser.post(portal, act="card", number="4000000000000341")
    page = browser.post(portal, act="change", subscription=sub.id, price=shop.prices["big-month"])
    assert "declined" in page
    assert price_of(shop, sub.customer) == "small-month"
    assert shop.only(sub.customer).status == "active"


def test_down_waits_for_the_end_of_the_period(shop: Shop, stand_in: StandIn) -> None:
    sub, browser = shop.buy("big-month"), Browser()
    portal = shop.portal(sub.customer)
    browser.post(portal, act="change", subscription=sub.id, price=shop.prices["small-month"])
    assert price_of(shop, sub.customer) == "big-month"
    schedule = shop.only(sub.customer).schedule
    phases = shop.stripe.v1.subscription_schedules.retrieve(schedule).phases
    assert phases[-1]["items"][0].price == shop.prices["small-month"]
    preview = shop.stripe.v1.invoices.create_preview({"subscription": sub.id})
    assert preview.total == 500
    browser.post(portal, act="keep-plan", subscription=sub.id)
    assert shop.only(sub.customer).schedule is None
    browser.post(portal, act="change", subscription=sub.id, price=shop.prices["small-month"])
    stand_in.travel(32 * DAY)
    assert price_of(shop, sub.customer) == "small-month"
    assert shop.only(sub.customer).schedule is None
    assert shop.invoices(sub.customer)[0].amount_paid == 500


def test_cancelling_says_why_and_ends_with_the_period(shop: Shop, stand_in: StandIn) -> None:
    sub, browser = shop.buy(), Browser()
    portal = shop.portal(sub.customer)
    said = {"feedback": "too_expensive", "comment": "<b>sorry</b>"}
    browser.post(portal, act="cancel", subscription=sub.id, **said)
    found = shop.only(sub.customer)
    assert found.cancel_at_period_end
    assert found.cancellation_details.feedback == "too_expensive"
    assert found.status == "active"
    browser.post(portal, act="go-on", subscription=sub.id)
    assert not shop.only(sub.customer).cancel_at_period_end
    browser.post(portal, act="cancel", subscription=sub.id, **said)
    stand_in.travel(32 * DAY)
    ended = shop.only(sub.customer)
    assert (ended.status, ended.cancellation_details.comment) == ("canceled", "<b>sorry</b>")
    assert shop.events()[-1] == "customer.subscription.deleted"
    assert len(shop.invoices(sub.customer)) == 1


def test_nobody_reaches_anothers_subscription_or_an_ended_portal(
    shop: Shop, stand_in: StandIn
) -> None:
    alice, bob, browser = shop.buy(), shop.buy(), Browser()
    portal = shop.portal(bob.customer)
    browser.post(portal, act="cancel", subscription=alice.id)
    assert browser.status == 404
    assert not shop.only(alice.customer).cancel_at_period_end
    stand_in.travel(3601)
    browser.get(portal)
    assert browser.status == 404
    browser.get(portal[:-1])
    assert browser.status == 404


def test_a_price_that_is_not_on_offer_cannot_be_chosen(shop: Shop) -> None:
    sub, browser = shop.buy(), Browser()
    portal = shop.portal(sub.customer)
    price = shop.prices["small-year"]
    assert "not on offer" in browser.post(portal, act="change", subscription=sub.id, price=price)
