"""Asks Stripe about every customer once a day, and when something should have happened by itself.

So an event that never came changes nothing for longer than that. The rows say when each is due
(`next_sync_at`), so the round goes on where it stopped, and needs no night.
"""

import logging
import time
from datetime import timedelta

from django.db.models import QuerySet

from backup_service import clock
from billing.models import Subscription
from billing.stripe.customers import keep_contact
from billing.stripe.errors import NotConfiguredError, PaymentError, UnavailableError
from billing.stripe.sync import sync_customer

log = logging.getLogger(__name__)
AFTER_FAILURE = timedelta(hours=1)


def reconcile_due(*, seconds: float) -> int:
    """Sync the customers that are due, for a bounded time; return how many were."""
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until and (row := _next()) is not None:
        try:
            sync_customer(row.stripe_customer)
            keep_contact(row)
        except (UnavailableError, NotConfiguredError):
            break  # all others would fail as well
        except PaymentError as error:
            log.error("a customer could not be reconciled: %s", type(error).__name__)
        except Exception:  # whatever Stripe said of one, the others are asked about as well
            log.exception("what Stripe says of a customer could not be read")
        # Where nothing was written, it must not stand in front of the others.
        _due().filter(pk=row.pk).update(next_sync_at=clock.now() + AFTER_FAILURE)
        done += 1
    return done


def reconcile_all() -> int:
    """Make every customer due now, and return how many there are; the workers do the rest."""
    customers = Subscription.objects.exclude(stripe_customer="")
    return customers.update(next_sync_at=clock.now())


def _due() -> QuerySet[Subscription]:
    customers = Subscription.objects.exclude(stripe_customer="")
    return customers.filter(next_sync_at__lte=clock.now())


def _next() -> Subscription | None:
    return _due().order_by("next_sync_at", "pk").first()
