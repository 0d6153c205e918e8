"""Works off events: each ends with its customer's row as Stripe has it now.

The rows are the list. A claim is one conditional UPDATE that also says until when it holds; whoever
does not come back has it taken away. One reading of a customer answers all events that had come
when it began, so that a storm of them costs little. What fails again and again is parked.
"""

import json
import logging
import random
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F

from backup_service import clock
from billing import unpaid
from billing.models import StripeEvent, Subscription
from billing.stripe.errors import ForgedError, PaymentError
from billing.stripe.event_reading import customer_of, parse, recent
from billing.stripe.sync import sync_customer
from billing.webhooks.inbox import keep

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=3)
MOST_ATTEMPTS = 12  # over about half a day
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0  # seconds
KEPT = timedelta(days=90)
_TRIED_AT_ONCE = 20


def work_off(*, seconds: float) -> int:
    """Work off events that are due, for a bounded time; return how many were tried."""
    until, tried = time.monotonic() + seconds, 0
    while time.monotonic() < until and (event := _claim()) is not None:
        _work(event)
        tried += 1
    return tried


def replay(event_ids: Sequence[str] = (), *, failed: bool = False) -> int:
    """Have events worked off again: named ones, or all that are parked. Return how many."""
    found = StripeEvent.objects.filter(event_id__in=event_ids)
    if failed:
        found = found | StripeEvent.objects.filter(state=StripeEvent.State.PARKED)
    return found.update(
        state=StripeEvent.State.RECEIVED, attempts=0, next_attempt_at=clock.now(), lease=""
    )


def replay_since(since: datetime) -> tuple[int, int]:
    """Fetch what Stripe has on record since a moment, and have it all worked off.

    Return how many events there are, and how many of them never came. Raises PaymentError.
    """
    new, names = 0, []
    for found in recent(since):
        body = json.dumps(found).encode()
        event = parse(body)
        names.append(event.id)
        new += keep(event, body)
    return replay(names), new


def forget_old() -> int:
    """Remove events that were worked off long ago; return how many."""
    old = StripeEvent.objects.filter(
        state=StripeEvent.State.DONE, received_at__lt=clock.now() - KEPT
    )
    return old.delete()[0]


def _claim() -> StripeEvent | None:
    now = clock.now()
    due = StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED, next_attempt_at__lte=now)
    for row in due.order_by("next_attempt_at", "pk")[:_TRIED_AT_ONCE]:
        token = uuid.uuid4().hex
        mine = StripeEvent.objects.filter(
            pk=row.pk, state=StripeEvent.State.RECEIVED, lease=row.lease, attempts=row.attempts
        ).update(lease=token, attempts=F("attempts") + 1, next_attempt_at=now + LEASE)
        if mine:
            row.refresh_from_db()
            return row
    return None


def _work(row: StripeEvent) -> None:
    begun, body = clock.now(), bytes(row.body)
    try:
        customer = customer_of(parse(body), body)
        found = sync_customer(customer)
    except (PaymentError, ForgedError) as error:
        _failed(row, type(error).__name__)
        return
    except Exception as error:  # one event never holds up the others, and is parked at last
        log.exception("an event of Stripe's could not be worked off")
        _failed(row, type(error).__name__)
        return
    mine = StripeEvent.objects.filter(pk=row.pk, lease=row.lease)
    mine.update(customer=customer, **_done())
    if found is not None:  # a payment that failed, or a smaller plan, is told of at once
        unpaid.tend(account=found.account_id)
    if customer and found is None:
        _forget_stranger(customer)
    if customer:
        same = StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED, customer=customer)
        same.filter(received_at__lt=begun).update(**_done())


def _forget_stranger(customer: str) -> None:
    """Delete what Stripe said of a customer who is nobody's here, perhaps no longer."""
    if not Subscription.objects.filter(stripe_customer=customer).exists():
        StripeEvent.objects.filter(customer=customer).delete()


def _done() -> dict[str, object]:
    done = StripeEvent.State.DONE
    return {"state": done, "done_at": clock.now(), "lease": "", "error": ""}


def _failed(row: StripeEvent, error: str) -> None:
    is_last = row.attempts >= MOST_ATTEMPTS
    pause = min(FIRST_PAUSE * 2 ** (row.attempts - 1), LONGEST_PAUSE)
    pause *= random.uniform(0.75, 1.25)  # noqa: S311  # so that many do not come back at once
    if is_last:
        log.error("an event of Stripe's is parked after %d tries: %s", row.attempts, error)
    StripeEvent.objects.filter(pk=row.pk, lease=row.lease).update(
        state=StripeEvent.State.PARKED if is_last else StripeEvent.State.RECEIVED,
        next_attempt_at=clock.now() + timedelta(seconds=pause),
        error=error[:500],
        lease="",
    )
