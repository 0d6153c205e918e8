"""Keeps events as they came, each once, however often and in which order Stripe sends them."""

from django.db import IntegrityError, transaction

from billing.models import StripeEvent
from billing.stripe.event_reading import Event, verified

MOST_BYTES = 512 * 1024


def take(body: bytes, signature: str) -> bool:
    """Keep an event that Stripe just sent; return whether it is new. Raises ForgedError."""
    return keep(verified(body, signature), body)


def keep(event: Event, body: bytes) -> bool:
    """Keep an event that is known to be Stripe's; return whether it is new."""
    try:
        with transaction.atomic():
            StripeEvent.objects.create(
                event_id=event.id,
                type=event.type,
                customer=event.customer,
                created_at=event.created_at,
                body=body,
            )
    except IntegrityError:
        return False
    return True
