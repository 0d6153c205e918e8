"""Lets staff retry replicas that were parked after too many failures."""

from collections.abc import Collection

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from backup_service import clock
from storage import wakeups
from storage.database import lock_order
from storage.models import Replica


@transaction.atomic
def retry(replicas: Collection[int], *, actor: Actor) -> int:
    """Put parked copies (by primary key) back on the work list; return how many."""
    parked = lock_order.hold(Replica.objects.filter(pk__in=replicas).exclude(parked_at=None))
    unparked = Replica.objects.filter(pk__in=parked).update(
        parked_at=None, tries=0, next_attempt_at=clock.now()
    )
    if unparked:
        audit.record(actor, "copies.unpark", f"{unparked} copies", copies=sorted(replicas))
        wakeups.replication()
    return unparked
