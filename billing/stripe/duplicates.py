"""Ends what was bought twice, and gives the money back.

Payment pages are made so that only the newest one of an account can be paid at (`checkout`). Should
two subscriptions go on all the same, the later one ends at once and what was paid for it is given
back in full, if it was bought here just now; any other one is left to people.
"""

import logging
from datetime import timedelta

import stripe

from accounts import audit
from accounts.audit import SERVICE
from backup_service import clock
from billing.models import Subscription
from billing.stripe.client import Object, plain, speaking
from billing.stripe.reading import ACCOUNT_METADATA, Reading

log = logging.getLogger(__name__)
JUST_NOW = timedelta(days=2)


def end(customer: str, found: Reading) -> bool:
    """End the further subscriptions of a reading that were bought here; return whether any was.

    May be repeated after it failed half-way. Raises PaymentError.
    """
    row = Subscription.objects.select_related("account").get(stripe_customer=customer)
    ended = [name for name in found.extra if _end_one(name, row.account.public_id)]
    for name in ended:
        audit.record(
            SERVICE, "payment.twice", row.account.public_id, account=row.account, subscription=name
        )
    return bool(ended)


def _end_one(name: str, account: str) -> bool:
    with speaking() as client:
        subscription = plain(client.v1.subscriptions.retrieve(name, {"expand": ["latest_invoice"]}))
        is_ours = (subscription.get("metadata") or {}).get(ACCOUNT_METADATA) == account
        if not is_ours or subscription["created"] < (clock.now() - JUST_NOW).timestamp():
            log.error("an account has a second subscription that was not bought here just now")
            return False
        _refund(client, subscription)
        client.v1.subscriptions.cancel(
            name,
            {
                "prorate": False,
                "invoice_now": False,
                "cancellation_details": {"comment": "bought twice; refunded"},
            },
            {"idempotency_key": f"end-duplicate:{name}"},
        )
    return True


def _refund(client: stripe.StripeClient, subscription: Object) -> None:
    """Give back what was paid first, before the end: that way round nothing is forgotten."""
    invoice = subscription.get("latest_invoice") or {}
    if not invoice.get("amount_paid"):
        return
    for payment in client.v1.invoice_payments.list({"invoice": invoice["id"]}).data:
        intent = payment.payment.payment_intent
        if payment.status == "paid" and isinstance(intent, str):
            try:
                client.v1.refunds.create(
                    {"payment_intent": intent, "reason": "duplicate"},
                    {"idempotency_key": f"refund-duplicate:{intent}"},
                )
            except stripe.InvalidRequestError as error:
                if error.code != "charge_already_refunded":
                    raise
