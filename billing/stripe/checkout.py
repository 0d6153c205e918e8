"""Begins a payment, and leads to the portal: both give an address to send the customer to."""

from datetime import timedelta

import stripe
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from accounts.models import Account
from backup_service import clock
from billing.models import Plan, Subscription
from billing.stripe.catalogue import portal_configuration, price_of
from billing.stripe.client import Object, everything, speaking
from billing.stripe.customers import ensure_customer, row_of
from billing.stripe.errors import (
    AlreadySubscribedError,
    ClosedAccountError,
    NotOnSaleError,
    UnavailableError,
)
from billing.stripe.reading import ACCOUNT_METADATA
from billing.stripe.sync import sync

NUMBER = "nightsafe_checkout"
SOON = timedelta(minutes=10)


def checkout(account: Account, *, plan: Plan, interval: str) -> str:
    """Return the address at which a plan is paid for.

    Only the newest of an account's payment pages stays open, so two tabs cannot buy twice. Raises
    PaymentError: AlreadySubscribedError, ClosedAccountError, NotOnSaleError, UnavailableError.
    """
    if not plan.on_offer or not plan.cents(interval):
        raise NotOnSaleError
    _require_wanted(account)
    price, customer = price_of(plan, interval), ensure_customer(account)
    number = _next_number(account)
    with speaking() as client:
        session = client.v1.checkout.sessions.create(
            _wish(account, customer, price, number),
            {"idempotency_key": f"checkout:{account.public_id}:{number}"},
        )
        address = _close_others(client, customer) or session.url
    # Somebody may have paid, or closed the account, in the other tab while this page was made.
    try:
        _require_wanted(account)
    except (AlreadySubscribedError, ClosedAccountError):
        with speaking() as client:
            _expire(client, session.id)
        raise
    if address is None:
        raise UnavailableError
    _look_again_soon(account)
    return address


def portal(account: Account) -> str:
    """Return the address at which a customer changes plan and card, cancels, sees invoices.

    Raises PaymentError.
    """
    customer, configuration = ensure_customer(account), portal_configuration()
    _look_again_soon(account)
    with speaking() as client:
        return client.v1.billing_portal.sessions.create(
            {
                "customer": customer,
                "configuration": configuration,
                "return_url": settings.SITE_URL + reverse("billing_return"),
            }
        ).url


def _require_wanted(account: Account) -> None:
    """Raise ClosedAccountError or AlreadySubscribedError where nothing is to be paid for."""
    if Account.objects.get(pk=account.pk).is_closed:
        raise ClosedAccountError
    row = sync(account)
    if row is not None and row.is_paid_for:
        raise AlreadySubscribedError


def _look_again_soon(account: Account) -> None:
    """Ask Stripe by ourselves when the customer may be done there, should nobody tell us."""
    Subscription.objects.filter(account=account).update(next_sync_at=clock.now() + SOON)


def _next_number(account: Account) -> int:
    row = row_of(account)
    with transaction.atomic():
        Subscription.objects.filter(pk=row.pk).update(checkouts=F("checkouts") + 1)
        return Subscription.objects.values_list("checkouts", flat=True).get(pk=row.pk)


def _wish(
    account: Account, customer: str, price: str, number: int
) -> stripe.params.checkout.SessionCreateParams:
    ours = {ACCOUNT_METADATA: account.public_id, NUMBER: str(number)}
    wish: stripe.params.checkout.SessionCreateParams = {
        "mode": "subscription",
        "customer": customer,
        "client_reference_id": account.public_id,
        "line_items": [{"price": price, "quantity": 1}],
        "allow_promotion_codes": True,
        "success_url": settings.SITE_URL + reverse("billing_return"),
        "cancel_url": settings.SITE_URL + reverse("billing"),
        "metadata": ours,
        "subscription_data": {"metadata": {ACCOUNT_METADATA: account.public_id}},
    }
    if settings.STRIPE_TAX:
        wish["automatic_tax"] = {"enabled": True}
        wish["customer_update"] = {"address": "auto", "name": "auto"}
        wish["tax_id_collection"] = {"enabled": True}
    return wish


def _close_others(client: stripe.StripeClient, customer: str) -> str | None:
    """Close all payment pages but the newest; return its address.

    Each of several that are made at the same time does so after it was made, so whoever looks last
    sees them all.
    """
    found = client.v1.checkout.sessions.list({"customer": customer, "status": "open"})
    sessions = sorted(everything(found), key=_number)
    for session in sessions[:-1]:
        _expire(client, session["id"])
    return sessions[-1]["url"] if sessions else None


def _number(session: Object) -> int:
    number = str((session.get("metadata") or {}).get(NUMBER, ""))
    return int(number) if number.isdecimal() else 0


def _expire(client: stripe.StripeClient, name: str) -> None:
    try:
        client.v1.checkout.sessions.expire(name)
    except stripe.InvalidRequestError:
        return  # paid or closed meanwhile, which is looked at afterwards
