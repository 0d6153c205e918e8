"""What mail providers say of mails that came back, and whom we do not write to any more."""

import logging
from typing import Any

from anymail.signals import EventType, RejectReason, tracking
from django.db import transaction
from django.db.models import F, QuerySet

from accounts.models import BouncingAddress
from backup_service import clock

log = logging.getLogger(__name__)
MAX_BOUNCES = 3
"""A full mailbox and one that does not exist are told alike, so one bounce proves nothing."""
Reason = BouncingAddress.Reason


def connect() -> None:
    """Listen to what anymail hears from the provider's webhooks."""
    tracking.connect(on_event, dispatch_uid="accounts.notifications.bounces")


def on_event(sender: type, event: Any, esp_name: str, **more: Any) -> None:
    """Note a bounce or complaint, and forget bounces once mail arrives again."""
    if not event.recipient:
        return
    why = event.description or ""
    match event.event_type, event.reject_reason:
        case EventType.COMPLAINED, _:
            suppress(event.recipient, Reason.COMPLAINED, why)
        case EventType.BOUNCED | EventType.REJECTED | EventType.FAILED, RejectReason.INVALID:
            suppress(event.recipient, Reason.BOUNCED, why)
        case EventType.BOUNCED, _:
            note_bounce(event.recipient, why)
        case EventType.DELIVERED, _:
            _row(event.recipient).filter(suppressed_at=None).delete()


@transaction.atomic
def note_bounce(email: str, detail: str) -> None:
    """Count a bounce; after some in a row nothing more is sent to the address."""
    _add(email, Reason.BOUNCED, detail)
    _row(email).update(count=F("count") + 1)
    _suppress(_row(email).filter(count__gte=MAX_BOUNCES))


@transaction.atomic
def suppress(email: str, reason: BouncingAddress.Reason, detail: str) -> None:
    """Send nothing more to an address until somebody lifts that."""
    _add(email, reason, detail)
    _suppress(_row(email))


def suppressed() -> QuerySet[BouncingAddress]:
    """Return the addresses to which nothing is sent."""
    return BouncingAddress.objects.exclude(suppressed_at=None)


def lift(email: str) -> bool:
    """Write to an address again; return whether anything was known against it."""
    return bool(_row(email).delete()[0])


def _row(email: str) -> QuerySet[BouncingAddress]:
    return BouncingAddress.objects.filter(email=_plain(email))


def _plain(email: str) -> str:
    return email.strip().lower()[:254]


def _add(email: str, reason: BouncingAddress.Reason, detail: str) -> None:
    BouncingAddress.objects.get_or_create(
        email=_plain(email),
        defaults={"reason": reason, "detail": " ".join(detail.split())[:300]},
    )


def _suppress(rows: QuerySet[BouncingAddress]) -> None:
    if rows.filter(suppressed_at=None).update(suppressed_at=clock.now()):
        log.warning("nothing more is sent to an address that mail does not reach")
