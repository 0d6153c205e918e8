"""Removes the replicas of a destroyed region and notifies the owners of lost objects."""

import math
import time

from django.db import transaction

from accounts import audit
from accounts.audit import SERVICE, Actor
from storage.database import bulk, lock_order
from storage.models import Attempt, Refill, Region, Replica, StoredObject
from storage.objects import damage
from storage.vaults import quota

PAGE = 200


def write_off_due(*, seconds: float = math.inf) -> int:
    """Go on with regions that were given up; return how many copies were struck off."""
    until, struck = time.monotonic() + seconds, 0
    for region in Region.objects.filter(status=Region.Status.STRUCK):
        while time.monotonic() < until:
            page = list(Replica.objects.filter(region=region).order_by("pk")[:PAGE])
            for replica in page:
                _strike(replica)
            struck += len(page)
            if not page:
                _forget_attempts(region)
                finish(region, SERVICE)
                break
    return struck


@transaction.atomic
def _strike(replica: Replica) -> None:
    """Take a copy off the rows; without another one its object is lost, and that is said."""
    lock_order.of_object(replica.object_id)
    StoredObject.objects.select_for_update(no_key=True).filter(pk=replica.object_id).first()
    gone = Replica.objects.select_for_update(no_key=True).filter(pk=replica.pk).first()
    if gone is None:
        return
    gone.delete()
    if gone.attempt_id is not None:
        Attempt.objects.filter(pk=gone.attempt_id).delete()
    damage.note_loss(gone.object_id)


def _forget_attempts(region: Region) -> None:
    """Forget uploads and doomed bytes there: nobody can finish or remove them."""
    for attempt in bulk.steadily(Attempt.objects.filter(region=region, replica=None), PAGE):
        with transaction.atomic():
            lock_order.hold(Attempt.objects.filter(pk=attempt.pk))
            quota.settle(attempt)
            Attempt.objects.filter(pk=attempt.pk, replica=None).delete()


@transaction.atomic
def finish(region: Region, actor: Actor) -> bool:
    """Call a region removed once nothing points into it; return whether that is so."""
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
