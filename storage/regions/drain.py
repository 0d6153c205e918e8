"""Drains a region: removes its replicas once their objects have enough elsewhere.

Whether a replica may go is decided when it goes: with the object's row locked, the verified
replicas in other failure domains are counted again, and the replica leaves the rows in the same
transaction if they suffice. Its bytes are doomed and removed by the sweep, after every reader has
ended.
"""

import logging
import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum

from storage.counters import tally
from storage.database import lock_order
from storage.deletion import guard
from storage.models import Attempt, Region, Replica, StoredObject
from storage.objects import placement, replicas
from storage.objects.placement import Candidate
from storage.replication import backfill

log = logging.getLogger(__name__)
PAGE = 200
FRUITLESS = 20  # pages without anything that could go, after which the run ends


@dataclass(frozen=True)
class Remaining:
    """What is still in a region: replicas on the rows, and bytes that wait for the sweep."""

    objects: int
    bytes: int
    doomed: int
    kept_aside: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing points into the region any more."""
        return not (self.objects or self.doomed or self.kept_aside)


def left_in(region: Region) -> Remaining:
    """Return what is still in a region, or about to be."""
    rows = Replica.objects.filter(region=region).aggregate(
        n=Count("pk"), size=Sum("object__size", filter=~Q(attempt=None), default=0)
    )
    attempts = Attempt.objects.filter(region=region, replica=None)
    aside = attempts.filter(state=Attempt.State.QUARANTINED).count()
    return Remaining(rows["n"], rows["size"], attempts.count() - aside, aside)


def is_due() -> bool:
    """Return whether any region is draining."""
    return Region.objects.draining().exists()


def drain_due(*, seconds: float = math.inf) -> int:
    """Drain regions for up to `seconds`; return how many replicas were removed.

    Raises InDoubtError while the catalogue or the clock is in doubt.
    """
    guard.require_no_doubt()
    until = time.monotonic() + seconds
    draining = Region.objects.draining()
    return sum(_drain_region(region, until) for region in draining)


def _drain_region(region: Region, until: float) -> int:
    give_up_idle(region)
    _doom_kept_aside(region)
    cursor, gone, fruitless = region.drain_cursor, 0, 0
    while time.monotonic() < until and fruitless < FRUITLESS:
        page = list(_replicas_in(region).filter(pk__gt=cursor)[:PAGE])
        if not page:
            if cursor == 0 or region.drain_cursor == 0:
                cursor = 0
                break
            cursor = region.drain_cursor = 0
            continue
        went = _take_out(page)
        cursor, gone, fruitless = page[-1].pk, gone + went, 0 if went else fruitless + 1
    Region.objects.filter(pk=region.pk).update(drain_cursor=cursor)
    return gone


def give_up_idle(region: Region) -> None:
    """Delete replicas that were to be made in a region which takes none any more."""
    page = [0]
    while page:
        with tally.changing_replicas(backfill.idle().filter(region=region), most=PAGE) as page:
            Replica.objects.filter(pk__in=page).delete()


def _replicas_in(region: Region) -> QuerySet[Replica]:
    return (
        Replica.objects.filter(region=region)
        .exclude(attempt=None)
        .select_related("object__vault__account")
        .order_by("pk")
    )


def _take_out(page: Sequence[Replica]) -> int:
    """Remove the replicas that may go, and queue replicas elsewhere for the rest."""
    candidates = placement.candidates()
    stays, went = [], 0
    promised = backfill.promised_copies([replica.object.vault.account for replica in page])
    proved = _proved([replica.object_id for replica in page])
    for replica in page:
        wanted = promised[replica.object.vault.account_id]
        if _suffice(candidates, proved.get(replica.object_id, set()), wanted) and remove_if_enough(
            replica, wanted
        ):
            went += 1
        else:
            stays.append(replica.object)
    if stays and backfill.has_room():
        backfill.queue_missing([obj.pk for obj in backfill.lacking(stays)])
    return went


def _proved(objects: Collection[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    rows = Replica.objects.filter(object__in=objects).verified()
    for pk, region in rows.values_list("object", "region"):
        found.setdefault(pk, set()).add(region)
    return found


def _suffice(candidates: Collection[Candidate], proved: Collection[int], wanted: int) -> bool:
    """Return whether verified replicas in these regions suffice without the one that is to go.

    They are as many as the plan promises or as there can be, and never fewer than two (one,
    for a plan of one replica).
    """
    have = {s.failure_domain for s in candidates if s.region in proved and s.counts}
    possible = have | {s.failure_domain for s in candidates if s.takes and not s.is_full}
    return len(have) >= max(min(wanted, Replica.MIN_COPIES), min(wanted, len(possible)))


@tally.counting()
def remove_if_enough(replica: Replica, wanted: int) -> bool:
    """Delete a replica and doom its bytes, if enough others are verified at this moment."""
    obj = StoredObject.objects.select_for_update(no_key=True).filter(pk=replica.object_id).first()
    if obj is None or obj.state not in StoredObject.KEPT:
        return False
    locked = Replica.objects.filter(pk__in=lock_order.lock(Replica.objects.filter(object=obj)))
    proved = locked.exclude(pk=replica.pk).verified().values_list("region", flat=True)
    if not _suffice(placement.candidates(), set(proved), wanted):
        return False
    leaving = locked.filter(
        pk=replica.pk,
        attempt=replica.attempt_id,
        region__status=Region.Status.DRAINING,
    ).first()
    if leaving is None:
        return False
    with tally.changing([obj.pk]):
        leaving.delete()
    replicas.doom(Attempt.objects.filter(pk=replica.attempt_id, state=Attempt.State.STORED))
    return True


def _doom_kept_aside(region: Region) -> None:
    """Doom quarantined bytes, unless their object has too few verified replicas."""
    aside = Attempt.objects.filter(region=region, state=Attempt.State.QUARANTINED)
    for attempt in aside.order_by("pk")[:PAGE]:
        with transaction.atomic():
            obj = (
                StoredObject.objects.select_for_update(no_key=True, of=("self",))
                .select_related("vault__account")
                .filter(vault=attempt.vault_id, type=attempt.type, name=attempt.name)
                .first()
            )
            if obj is None or _has_enough(obj):
                replicas.doom(aside.filter(pk=attempt.pk))


def _has_enough(obj: StoredObject) -> bool:
    if obj.state == StoredObject.State.LOST:
        return False
    account = obj.vault.account
    proved = _proved([obj.pk]).get(obj.pk, set())
    return _suffice(placement.candidates(), proved, backfill.promised_copies([account])[account.pk])
