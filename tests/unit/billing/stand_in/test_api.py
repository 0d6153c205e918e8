"""The API's manners: keys, versions, unknown parameters, idempotency, pages, a restart."""

import urllib.request
from typing import Any

import pytest
from stripe import (
    AuthenticationError,
    CardError,
    IdempotencyError,
    InvalidRequestError,
    StripeClient,
)

from tests.support.billing.stand_in import DAY, StandIn
from tests.unit.billing.stand_in.conftest import Shop


def test_the_same_key_gives_the_same_answer_and_other_parameters_an_error(
    stripe: StripeClient, stand_in: StandIn
) -> None:
    options: Any = {"idempotency_key": "customer:abc"}
    first = stripe.v1.customers.create({"email": "a@example.org"}, options)
    stand_in.stop(hard=True)
    stand_in.start()
    again = stripe.v1.customers.create({"email": "a@example.org"}, options)
    assert again.id == first.id
    with pytest.raises(IdempotencyError) as refusal:
        stripe.v1.customers.create({"email": "b@example.org"}, options)
    assert refusal.value.http_status == 400
    assert len(stripe.v1.customers.list().data) == 1
    stand_in.travel(DAY)
    assert stripe.v1.customers.create({"email": "a@example.org"}, options).id != first.id


def test_a_refused_payment_is_remembered_with_its_key(shop: Shop) -> None:
    customer = shop.customer(payment_method="pm_card_chargeCustomerFail")
    shop.stripe.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": shop.prices["small-month"]}]}
    )
    (invoice,) = shop.invoices(customer)
    for _ in range(2):
        with pytest.raises(CardError) as refusal:
            shop.stripe.v1.invoices.pay(invoice.id, {}, {"idempotency_key": "pay:1"})
        assert refusal.value.code == "card_declined"
    assert shop.stripe.v1.invoices.retrieve(invoice.id).attempt_count == 2  # and not 3


def test_a_wrong_key_and_another_version_are_refused(stand_in: StandIn) -> None:
    with pytest.raises(AuthenticationError):
        StripeClient("sk_test_wrong", base_addresses={"api": stand_in.address}).v1.customers.list()
    old = StripeClient(
        stand_in.api_key, base_addresses={"api": stand_in.address}, stripe_version="2024-06-20"
    )
    with pytest.raises(InvalidRequestError, match="version"):
        old.v1.customers.list()


def test_what_is_unknown_is_an_error_in_stripes_shape(stripe: StripeClient) -> None:
    with pytest.raises(InvalidRequestError) as missing:
        stripe.v1.customers.retrieve("cus_nobody")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    strange: Any = {"colour": "blue"}
    with pytest.raises(InvalidRequestError) as unknown:
        stripe.v1.customers.create(strange)
    assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "colour")
    assert stripe.v1.customers.list().data == []
    for path in ("/v1/nothing", "/v1/customers/..%2f..", "/v1/"):
        with pytest.raises(InvalidRequestError):
            stripe.raw_request("get", path)


def test_lists_come_in_pages_and_objects_in_objects(shop: Shop) -> None:
    names = [shop.customer() for _ in range(25)]
    found = shop.stripe.v1.customers.list({"limit": 10})
    assert found.has_more
    assert [one.id for one in found.auto_paging_iter()] == names[::-1]
    sub = shop.buy()
    expanded = shop.stripe.v1.subscriptions.list(
        {"customer": sub.customer, "expand": ["data.latest_invoice", "data.customer"]}
    ).data[0]
    latest: Any = expanded.latest_invoice
    assert latest.status == "paid"
    (payment,) = shop.stripe.v1.invoice_payments.list({"invoice": latest.id}).data
    intent: Any = payment.payment.payment_intent
    assert shop.stripe.v1.payment_intents.retrieve(intent).status == "succeeded"


def test_prices_are_found_by_their_keys_which_can_move(shop: Shop) -> None:
    stripe, old = shop.stripe, shop.prices["small-month"]
    dearer: Any = {
        "product": "small",
        "currency": "usd",
        "unit_amount": 600,
        "recurring": {"interval": "month"},
        "lookup_key": "small-month",
    }
    with pytest.raises(InvalidRequestError):
        stripe.v1.prices.create(dearer)
    dearer["transfer_lookup_key"] = True
    new = stripe.v1.prices.create(dearer)
    (found,) = stripe.v1.prices.list({"lookup_keys": ["small-month"], "active": True}).data
    assert found.id == new.id
    assert stripe.v1.prices.retrieve(old).lookup_key is None


def test_money_is_given_back_once(shop: Shop) -> None:
    sub = shop.buy()
    (charge,) = shop.stripe.v1.charges.list({"customer": sub.customer}).data
    intent = str(charge.payment_intent)
    shop.stripe.v1.refunds.create({"payment_intent": intent, "amount": 200})
    shop.stripe.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(InvalidRequestError) as refusal:
        shop.stripe.v1.refunds.create({"payment_intent": intent})
    assert refusal.value.code == "charge_already_refunded"
    found = shop.stripe.v1.charges.retrieve(charge.id)
    assert (found.refunded, found.amount_refunded) == (True, 500)


def test_a_disputed_payment_is_told_and_can_be_lost(shop: Shop) -> None:
    sub = shop.buy(number="4000000000000259")
    (charge,) = shop.stripe.v1.charges.list({"customer": sub.customer}).data
    assert charge.disputed
    (found,) = shop.stripe.v1.disputes.list({"charge": charge.id}).data
    assert shop.stripe.v1.disputes.close(found.id).status == "lost"
    assert {"charge.dispute.created", "charge.dispute.closed"} <= set(shop.events())


def test_a_body_that_is_too_large_is_not_read(stand_in: StandIn) -> None:
    request = urllib.request.Request(f"{stand_in.address}/v1/customers", data=b"x" * (300 << 10))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(OSError):
        opener.open(request, timeout=10)
