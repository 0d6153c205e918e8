"""Removes the replicas of a destroyed region and notifies the owners of lost objects."""

import math
import time

from django.db import transaction

from accounts import audit
from accounts.audit import SERVICE, Actor
from storage.counters import tally
from storage.database import bulk, lock_order
from storage.models import Attempt, Refill, Region, Replica, StoredObject
from storage.objects import damage
from storage.vaults import quota

PAGE = 200


def write_off_due(*, seconds: float = math.inf) -> int:
    """Write off replicas of lost regions for up to `seconds`; return how many."""
    until, count = time.monotonic() + seconds, 0
    for region in Region.objects.filter(status=Region.Status.STRUCK):
        while time.monotonic() < until:
            page = list(Replica.objects.filter(region=region).order_by("pk")[:PAGE])
            for replica in page:
                remove_replica(replica)
            count += len(page)
            if not page:
                forget_attempts(region)
                finish(region, SERVICE)
                break
    return count


@tally.counting()
def remove_replica(replica: Replica) -> None:
    """Delete a replica; without another one its object is marked as lost."""
    lock_order.lock_vault_of(replica.object_id)
    StoredObject.objects.select_for_update(no_key=True).filter(pk=replica.object_id).first()
    gone = Replica.objects.select_for_update(no_key=True).filter(pk=replica.pk).first()
    if gone is None:
        return
    with tally.changing([gone.object_id]):
        gone.delete()
        if gone.attempt_id is not None:
            Attempt.objects.filter(pk=gone.attempt_id).delete()
        damage.note_loss(gone.object_id)


def forget_attempts(region: Region) -> None:
    """Delete the rows of uploads and doomed bytes there: nobody can finish or remove them."""
    for attempt in bulk.steadily(Attempt.objects.filter(region=region, replica=None), PAGE):
        with transaction.atomic():
            lock_order.lock(Attempt.objects.filter(pk=attempt.pk))
            quota.settle(attempt)
            Attempt.objects.filter(pk=attempt.pk, replica=None).delete()


@transaction.atomic
def finish(region: Region, actor: Actor) -> bool:
    """Mark a region as removed if nothing points into it; return whether that is so."""
    locked = Region.objects.select_for_update().get(pk=region.pk)
    if locked.attempts.exists() or locked.replicas.exists():
        return False
    removed = (
        Region.objects.filter(pk=region.pk)
        .exclude(status=Region.Status.REMOVED)
        .update(
            status=Region.Status.REMOVED,
            instance="",
            trusted_from=None,
            away_since=None,
            full_since=None,
            drain_began_at=None,
        )
    )
    if removed:
        audit.record(actor, "region.remove", region.alias)
        Refill.request()
    return True
