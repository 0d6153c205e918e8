"""What waits to be told or worked off, and by how much it is late."""

from datetime import datetime, timedelta

from django.db.models import Count, Min, Q, QuerySet

from accounts.models import Delivery
from billing.models import StripeEvent
from storage.monitoring.rules import Backlog

LATELY = timedelta(days=1)


def of_mails(now: datetime) -> Backlog:
    """Mails to customers. What their own systems do not take is not our backlog.

    One that was tried and is tried again later is not late, so one full mailbox is no alarm.
    """
    mails = Delivery.objects.filter(endpoint=None)
    waiting = _of(mails.waiting(), now)
    lately = mails.filter(state=Delivery.State.FAILED, next_attempt_at__gt=now - LATELY)
    return Backlog(waiting.waiting, waiting.late, lately.count())


def of_payment_events(now: datetime) -> Backlog:
    """Return the events of Stripe's that are not worked off."""
    waiting = _of(StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED), now)
    parked = StripeEvent.objects.filter(state=StripeEvent.State.PARKED).count()
    return Backlog(waiting.waiting, waiting.late, parked)


def _of(rows: QuerySet[Delivery] | QuerySet[StripeEvent], now: datetime) -> Backlog:
    found = rows.aggregate(
        n=Count("pk"), due=Min("next_attempt_at", filter=Q(next_attempt_at__lte=now))
    )
    late = (now - found["due"]).total_seconds() if found["due"] else 0.0
    return Backlog(found["n"], max(0.0, late))
