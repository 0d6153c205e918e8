"""Subscribing at the stand-in's payment page, with every test card."""

import pytest

from tests.support.billing.stand_in import DAY, Browser, StandIn
from tests.unit.billing.stand_in.conftest import Shop


def test_a_card_that_pays_begins_a_subscription(shop: Shop) -> None:
    customer, browser = shop.customer(), Browser()
    session = shop.checkout(customer, subscription_data={"metadata": {"account": "abc"}})
    assert "no real money" in browser.get(session.url)
    browser.post(session.url, number="4242424242424242", email="alice@example.org")
    assert (browser.status, browser.location) == (
        303,
        f"http://site.test/back?session={session.id}",
    )
    sub = shop.only(customer)
    assert (sub.status, sub.metadata["account"]) == ("active", "abc")
    (item,) = sub["items"].data
    assert item.price.id == shop.prices["small-month"]
    assert 28 * DAY <= item.current_period_end - item.current_period_start <= 31 * DAY
    done = shop.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status, done.subscription) == ("complete", "paid", sub.id)
    (invoice,) = shop.invoices(customer)
    assert (invoice.status, invoice.amount_paid) == ("paid", 500)
    assert invoice.parent is not None
    assert invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == sub.id
    events = shop.events()
    assert events[-1] == "checkout.session.completed"
    assert {"customer.subscription.created", "invoice.paid", "charge.succeeded"} <= set(events)


def test_an_invoice_leads_back_to_where_the_customer_came_from(shop: Shop) -> None:
    customer, browser = shop.customer(), Browser()
    session = shop.checkout(customer)
    browser.post(session.url, number="4242424242424242")
    (invoice,) = shop.invoices(customer)
    address = invoice.hosted_invoice_url or ""
    paid_for = f'<a href="http://site.test/back?session={session.id}">Return to the site</a>'
    assert paid_for in browser.get(address)
    shop.portal(customer)
    assert '<a href="http://site.test/billing/">Return to the site</a>' in browser.get(address)


def test_pressing_the_button_twice_buys_once(shop: Shop) -> None:
    customer, browser = shop.customer(), Browser()
    session = shop.checkout(customer)
    for _ in range(3):
        browser.post(session.url, number="4242424242424242")
        assert browser.location.endswith(session.id)
    assert len(shop.invoices(customer)) == 1


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("4000000000000002", "declined"),
        ("4000000000009995", "insufficient funds"),
        ("4000000000000341", "declined"),
        ("4111111111111111", "no test card"),
        ("<script>", "no test card"),
    ],
)
def test_a_card_that_does_not_pay_begins_nothing(shop: Shop, number: str, words: str) -> None:
    customer, browser = shop.customer(), Browser()
    session = shop.checkout(customer)
    assert words in browser.post(session.url, number=number)
    assert browser.status == 402
    assert shop.stripe.v1.subscriptions.list({"customer": customer, "status": "all"}).data == []
    browser.post(session.url, number="4242424242424242")  # the page is open for another card
    assert shop.only(customer).status == "active"


@pytest.mark.parametrize("number", ["4000002500003155", "4000002760003184"])
def test_three_d_secure_is_asked_and_decides(shop: Shop, number: str) -> None:
    customer, browser = shop.customer(), Browser()
    session = shop.checkout(customer)
    browser.post(session.url, number=number)
    where = session.url.rsplit("/c/", 1)[0] + browser.location
    assert "3-D Secure" in browser.get(where)
    assert "unable to authenticate" in browser.post(where, answer="no")
    assert shop.stripe.v1.subscriptions.list({"customer": customer, "status": "all"}).data == []
    browser.post(session.url, number=number)
    browser.post(where, answer="yes")
    assert shop.only(customer).status == "active"
    browser.post(where, answer="yes")  # sent again
    assert len(shop.invoices(customer)) == 1


def test_a_promotion_code_takes_something_off_as_long_as_it_says(shop: Shop) -> None:
    stripe, browser = shop.stripe, Browser()
    coupon = stripe.v1.coupons.create({"percent_off": 25, "duration": "once"})
    stripe.v1.promotion_codes.create(
        {"code": "spring", "promotion": {"type": "coupon", "coupon": coupon.id}}
    )
    customer = shop.customer()
    session = shop.checkout(customer)
    assert "not valid" in browser.post(session.url, number="4242424242424242", code="autumn")
    browser.post(session.url, number="4242424242424242", code="Spring")
    assert shop.invoices(customer)[0].total == 375
    preview = stripe.v1.invoices.create_preview(
        {"customer": customer, "subscription": shop.only(customer).id}
    )
    assert preview.total == 500


def test_a_page_that_is_closed_or_too_old_takes_no_money(shop: Shop, stand_in: StandIn) -> None:
    customer, browser = shop.customer(), Browser()
    closed, old = shop.checkout(customer), shop.checkout(customer)
    url = closed.url
    assert shop.stripe.v1.checkout.sessions.expire(closed.id).status == "expired"
    stand_in.travel(DAY + 1)
    for address in (url, old.url):
        assert "Nothing was paid" in browser.post(address, number="4242424242424242")
        assert browser.status == 410
    assert shop.stripe.v1.checkout.sessions.retrieve(old.id).status == "expired"


def test_what_customers_type_is_shown_as_text(shop: Shop) -> None:
    session = shop.checkout(shop.customer(email='"><script>alert(1)</script>@example.org'))
    page = Browser()
    page.get(session.url)
    assert "<script>" not in page.last
    page.post(session.url, number="1", code="<img src=x>")
    assert "<img" not in page.last
