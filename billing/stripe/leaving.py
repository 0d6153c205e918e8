"""Ends what an account has with Stripe: its subscription at closing, the customer at erasure."""

import stripe

from billing.stripe.client import Object, everything, is_missing, plain, speaking

_OVER = frozenset({"canceled", "incomplete_expired"})


def end_subscriptions(customer: str) -> int:
    """End all that a customer pays for, now and without a further charge; return how many.

    Nothing is paid back. Payment pages that are open are closed first, so that nobody pays at one
    afterwards. May be repeated. Raises PaymentError.
    """
    with speaking() as client:
        try:
            for session in everything(
                client.v1.checkout.sessions.list({"customer": customer, "status": "open"})
            ):
                _expire(client, session["id"])
            found = everything(
                client.v1.subscriptions.list({"customer": customer, "status": "all", "limit": 100})
            )
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            return 0
        going_on = [one for one in found if one["status"] not in _OVER]
        for subscription in going_on:
            _cancel(client, subscription)
        return len(going_on)


def delete_customer(customer: str) -> None:
    """Delete a customer with name, address and cards; invoices stay. Raises PaymentError.

    Stripe keeps what was invoiced, as the law wants, and ends what still goes on. May be repeated.
    """
    with speaking() as client:
        try:
            if not plain(client.v1.customers.retrieve(customer)).get("deleted"):
                client.v1.customers.delete(customer)
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise


def _cancel(client: stripe.StripeClient, subscription: Object) -> None:
    client.v1.subscriptions.cancel(
        subscription["id"],
        {
            "prorate": False,
            "invoice_now": False,
            "cancellation_details": {"comment": "the account was closed"},
        },
        {"idempotency_key": f"close:{subscription['id']}"},
    )


def _expire(client: stripe.StripeClient, name: str) -> None:
    try:
        client.v1.checkout.sessions.expire(name)
    except stripe.InvalidRequestError:
        return  # paid or closed meanwhile: what was bought is ended with the rest
