"""What a customer has paid, and what comes next, asked of Stripe when it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import stripe
from django.utils.translation import gettext_noop

from billing.models import Subscription
from billing.stripe.client import Object, plain, speaking
from billing.stripe.reading import moment

SHOWN = 12
# The states that Stripe has; pages show them in the reader's language.
STATES = (
    gettext_noop("draft"),
    gettext_noop("open"),
    gettext_noop("paid"),
    gettext_noop("uncollectible"),
    gettext_noop("void"),
)


@dataclass(frozen=True)
class Invoice:
    """An invoice in a list. Amounts in cents; `url` is Stripe's page of it."""

    number: str
    at: datetime | None
    total: int
    due: int
    status: str
    url: str

    @property
    def is_owed(self) -> bool:
        """Whether it waits for its payment."""
        return self.status in ("open", "uncollectible") and self.due > 0


@dataclass(frozen=True)
class Statement:
    """The newest invoices, and the next one if something is to be paid."""

    invoices: Sequence[Invoice] = ()
    next_total: int | None = None
    next_at: datetime | None = None


def statement_of(subscription: Subscription | None) -> Statement:
    """Return an account's statement; empty for one that never was a customer.

    Raises PaymentError.
    """
    if subscription is None or not subscription.stripe_customer:
        return Statement()
    with speaking() as client:
        try:
            found = client.v1.invoices.list(
                {"customer": subscription.stripe_customer, "limit": SHOWN}
            )
            invoices = [_invoice(plain(one)) for one in found.data]
            coming = _coming(client, subscription)
        except stripe.InvalidRequestError:
            return Statement()  # the customer was deleted at Stripe
    total = coming.get("amount_due") if coming else None
    return Statement(
        invoices, total, moment(coming.get("next_payment_attempt")) if coming else None
    )


def _coming(client: stripe.StripeClient, subscription: Subscription) -> Object | None:
    if not subscription.is_paid_for or subscription.cancels_at_period_end:
        return None
    try:
        return plain(
            client.v1.invoices.create_preview({"subscription": subscription.stripe_subscription})
        )
    except stripe.InvalidRequestError:
        return None  # nothing comes next


def _invoice(found: Object) -> Invoice:
    return Invoice(
        number=found.get("number") or "",
        at=moment(found.get("created")),
        total=found.get("total") or 0,
        due=found.get("amount_remaining") or 0,
        status=found.get("status") or "",
        url=found.get("hosted_invoice_url") or "",
    )
