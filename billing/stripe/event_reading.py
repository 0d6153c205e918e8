"""Messages of Stripe's: whether one is genuine, and which customer it is about."""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import stripe
from django.conf import settings

from backup_service import clock
from billing.stripe.client import Object, everything, plain, speaking
from billing.stripe.errors import ForgedError
from billing.stripe.reading import moment

TOLERANCE = timedelta(minutes=5)  # either way: the library takes any moment in the future
LONGEST_HEADER = 1000
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_STAMP = re.compile(r"t=([0-9]{1,12})")


@dataclass(frozen=True)
class Event:
    """An event's own figures."""

    id: str
    type: str
    created_at: datetime
    customer: str  # empty where the event does not name one


def verified(body: bytes, signature: str) -> Event:
    """Return the event that Stripe signed and sent just now. Raises ForgedError."""
    # Not ASCII, the library's comparison would fail in another way than by its own error.
    if not signature.isascii() or len(signature) > LONGEST_HEADER:
        raise ForgedError("the signature cannot be read")
    if not any(_is_signed(body, signature, secret) for secret in settings.STRIPE_WEBHOOK_SECRETS):
        raise ForgedError("the signature is not right")
    if abs(clock.now() - _sent_at(signature)) > TOLERANCE:
        raise ForgedError("it was not sent now")
    return parse(body)


def _sent_at(signature: str) -> datetime:
    """Return the moment that was signed.

    There may be one only: of several, the library signs over the first that it can read.
    """
    stamps = [part for part in signature.split(",") if part.strip().startswith("t")]
    found = _STAMP.fullmatch(stamps[0]) if len(stamps) == 1 else None
    sent = moment(int(found[1])) if found else None
    if sent is None:
        raise ForgedError("its moment cannot be read")
    return sent


def parse(body: bytes) -> Event:
    """Return the event of a body that is known to be Stripe's. Raises ForgedError."""
    try:
        found = json.loads(body)
        created = moment(int(found["created"]))
        name, kind = str(found["id"]), str(found["type"])
        about = found["data"]["object"]
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise ForgedError("it is no event") from error
    if found.get("object") != "event" or not _ID.fullmatch(name) or created is None:
        raise ForgedError("it is no event")
    return Event(name, kind[:100], created, _named_customer(about))


def customer_of(event: Event, body: bytes) -> str:
    """Return the customer that an event is about, asked of Stripe where it only names a payment.

    Raises PaymentError.
    """
    if event.customer:
        return event.customer
    charge = json.loads(body)["data"]["object"].get("charge")
    if not isinstance(charge, str):
        return ""
    with speaking() as client:
        try:
            return str(plain(client.v1.charges.retrieve(charge)).get("customer") or "")
        except stripe.InvalidRequestError:
            return ""


def recent(since: datetime) -> list[Object]:
    """Return Stripe's own record of events since a moment (it keeps 30 days), the oldest first.

    Raises PaymentError.
    """
    with speaking() as client:
        found = client.v1.events.list({"created": {"gte": int(since.timestamp())}, "limit": 100})
        return everything(found)[::-1]


def _named_customer(about: Object) -> str:
    named = about.get("id" if about.get("object") == "customer" else "customer")
    return named if isinstance(named, str) and _ID.fullmatch(named) else ""


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, signature, secret))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
