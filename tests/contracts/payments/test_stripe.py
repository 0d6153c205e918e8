"""What we rely on, held against the stand-in and, with a test key, against Stripe."""

from typing import Any

import pytest
from stripe import CardError, IdempotencyError, InvalidRequestError, StripeClient

from billing.stripe.client import plain
from billing.stripe.reading import read


def price_of(stripe: StripeClient, tag: str, cents: int = 500, interval: str = "month") -> str:
    product = stripe.v1.products.create({"name": tag, "metadata": {"nightsafe_plan": "personal"}})
    wish: Any = {
        "product": product.id,
        "currency": "usd",
        "unit_amount": cents,
        "recurring": {"interval": interval},
        "lookup_key": f"{tag}-{cents}-{interval}",
        "metadata": {"nightsafe_plan": "personal"},
    }
    return stripe.v1.prices.create(wish).id


def customer_of(stripe: StripeClient, tag: str, card: str = "pm_card_visa") -> str:
    wish: Any = {
        "name": tag,
        "payment_method": card,
        "invoice_settings": {"default_payment_method": card},
    }
    return stripe.v1.customers.create(wish).id


def test_one_key_makes_one_customer(stripe: StripeClient, tag: str) -> None:
    options: Any = {"idempotency_key": tag}
    first = stripe.v1.customers.create({"name": tag}, options)
    assert stripe.v1.customers.create({"name": tag}, options).id == first.id
    with pytest.raises(IdempotencyError):
        stripe.v1.customers.create({"name": f"{tag}-other"}, options)


def test_what_is_missing_is_said_to_be(stripe: StripeClient) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        stripe.v1.customers.retrieve("cus_NightsafeNobody")
    assert (refusal.value.code, refusal.value.http_status) == ("resource_missing", 404)


def test_a_look_up_key_finds_a_price_and_moves_to_the_next(stripe: StripeClient, tag: str) -> None:
    old = price_of(stripe, tag)
    key = f"{tag}-500-month"
    (found,) = stripe.v1.prices.list({"lookup_keys": [key], "active": True}).data
    assert found.id == old
    wish: Any = {
        "product": found.product,
        "currency": "usd",
        "unit_amount": 600,
        "recurring": {"interval": "month"},
        "lookup_key": key,
        "transfer_lookup_key": True,
    }
    new = stripe.v1.prices.create(wish).id
    assert stripe.v1.prices.list({"lookup_keys": [key], "active": True}).data[0].id == new
    assert stripe.v1.prices.retrieve(old).lookup_key is None


def test_a_subscription_is_read_as_we_read_it(stripe: StripeClient, tag: str) -> None:
    customer = customer_of(stripe, tag)
    made = stripe.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": price_of(stripe, tag)}]}
    )
    subscriptions = [
        plain(one)
        for one in stripe.v1.subscriptions.list({"customer": customer, "status": "all"}).data
    ]
    found = read(subscriptions, [])
    assert (found.subscription, found.status) == (made.id, "active")
    assert (found.plan, found.interval, found.unpaid_since) == ("personal", "month", None)
    assert found.period_ends_at is not None
    (invoice,) = stripe.v1.invoices.list({"customer": customer}).data
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == (
        "paid",
        500,
        "subscription_create",
    )
    assert plain(invoice)["parent"]["subscription_details"]["subscription"] == made.id
    preview = stripe.v1.invoices.create_preview({"subscription": made.id})
    assert preview.total == 500
    (payment,) = stripe.v1.invoice_payments.list({"invoice": invoice.id}).data
    assert payment.status == "paid"
    refund = stripe.v1.refunds.create({"payment_intent": str(payment.payment.payment_intent)})
    assert refund.amount == 500
    later = stripe.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    assert read([plain(later)], []).cancels_at_period_end
    ended = stripe.v1.subscriptions.cancel(made.id)
    assert read([plain(ended)], []).subscription == ""


def test_a_card_that_fails_leaves_it_incomplete(stripe: StripeClient, tag: str) -> None:
    customer = customer_of(stripe, tag, "pm_card_chargeCustomerFail")
    made = stripe.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": price_of(stripe, tag)}]}
    )
    assert made.status == "incomplete"
    assert read([plain(made)], []).subscription == ""
    (invoice,) = stripe.v1.invoices.list({"customer": customer, "status": "open"}).data
    assert invoice.attempt_count >= 1
    with pytest.raises(CardError) as refusal:
        stripe.v1.invoices.pay(invoice.id)
    assert refusal.value.code == "card_declined"


def test_payment_pages_are_made_and_closed(stripe: StripeClient, tag: str) -> None:
    customer = customer_of(stripe, tag)
    wish: Any = {
        "mode": "subscription",
        "customer": customer,
        "line_items": [{"price": price_of(stripe, tag), "quantity": 1}],
        "success_url": "https://nightsafe.example/billing/return/",
        "cancel_url": "https://nightsafe.example/billing/",
        "allow_promotion_codes": True,
        "client_reference_id": tag,
        "metadata": {"nightsafe_checkout": "1"},
        "subscription_data": {"metadata": {"nightsafe_account": tag}},
    }
    session = stripe.v1.checkout.sessions.create(wish)
    assert session.url is not None
    open_ones = stripe.v1.checkout.sessions.list({"customer": customer, "status": "open"}).data
    assert [one.id for one in open_ones] == [session.id]
    assert stripe.v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(InvalidRequestError):
        stripe.v1.checkout.sessions.expire(session.id)
