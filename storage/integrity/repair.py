"""Replaces corrupt and missing replicas, and finds replicas of objects believed lost."""

from collections.abc import Collection
from dataclasses import dataclass

from accounts.audit import Actor
from storage.counters import tally
from storage.database import bulk, lock_order
from storage.errors import BadRequestError
from storage.models import Attempt, Region, Replica, StoredObject
from storage.objects import damage, replicas
from storage.objects.verify import StoredBytes, verify
from storage.replication import leases
from storage.replication.replicator import replicate_due
from storage.stores.base import NoSuchKeyError, RegionError, RegionUnavailableError
from storage.stores.registry import begin_anew, store_of


@dataclass(frozen=True)
class Repairs:
    """What a repair did, and what it could not do. Regions are told by their aliases."""

    regions_begun_anew: list[str]
    regions_away: list[str]
    found_again: int
    copies_made: int
    waiting: int
    lost: int


def repair(actor: Actor, *, anew: Collection[str] = ()) -> Repairs:
    """Repair damaged and missing replicas and lost objects, as far as that is possible now.

    Regions named by `anew` are begun anew and refilled: their store must be gone, with an empty
    one in its place. Whether a store is gone for good or only away nobody can tell from here.
    Raises BadRequestError for one that is there, RegionUnavailableError where nothing can begin.
    """
    for alias in anew:
        _begin_anew(alias, actor)
    leases.unpark()
    leases.bring_forward()
    found = find_lost()
    made = replicate_due()
    return Repairs(
        regions_begun_anew=list(anew),
        regions_away=[region.alias for region in Region.objects.active() if not _is_there(region)],
        found_again=found,
        copies_made=made,
        waiting=Replica.objects.waiting().count(),
        lost=StoredObject.objects.lost().count(),
    )


def _is_there(region: Region) -> bool:
    try:
        store_of(region).check()
    except RegionUnavailableError:
        return False
    return True


def _begin_anew(alias: str, actor: Actor) -> None:
    region = Region.objects.active().filter(alias=alias).first()
    if region is None:
        raise BadRequestError(f"There is no active region {alias} here; `region status` shows all.")
    if _is_there(region):
        raise BadRequestError(f"Region {alias} is there with all it has, so it is not begun anew.")
    begin_anew(region, actor)
    _mark_all_missing(region)


def _mark_all_missing(region: Region) -> None:
    """Mark all of a region's replicas as missing: its old store is gone for good."""
    stored = Replica.objects.stored().filter(region=region)
    for replica in bulk.steadily(stored, 500):
        damage.mark(replica, NoSuchKeyError(f"region {region.alias} was begun anew"))


def find_lost() -> int:
    """Search for bytes of lost objects, quarantined ones included; return how many were found."""
    found = 0
    for obj in bulk.steadily(StoredObject.objects.lost()):
        attempts = Attempt.objects.filter(
            vault=obj.vault_id,
            type=obj.type,
            name=obj.name,
            state__in=[Attempt.State.STORED, Attempt.State.QUARANTINED],
        ).select_related("vault", "region")
        found += any(_take_back(obj, attempt) for attempt in attempts)
    return found


def _take_back(obj: StoredObject, attempt: Attempt) -> bool:
    """Make an attempt the region's replica again, if its bytes verify."""
    try:
        verify(StoredBytes(store_of(attempt.region), attempt.key, obj.size, obj.sha256))
    except RegionError:
        return False
    with tally.counting():
        lock_order.lock_vault_of(obj.pk)
        StoredObject.objects.select_for_update(no_key=True).get(pk=obj.pk)
        with tally.changing([obj.pk]):
            return _take(obj, attempt)


def _take(obj: StoredObject, attempt: Attempt) -> bool:
    replica, _ = Replica.objects.get_or_create(
        object=obj, region=attempt.region, defaults={"sequence": obj.sequence}
    )
    if replica.state == Replica.State.STORED:
        return False
    lock_order.lock(Replica.objects.filter(pk=replica.pk))
    taken = Attempt.objects.filter(
        pk=attempt.pk, state__in=[Attempt.State.STORED, Attempt.State.QUARANTINED]
    ).update(state=Attempt.State.STORED)
    if not taken:
        return False
    if replica.attempt_id not in (None, attempt.pk):
        replicas.quarantine(str(replica.attempt_id))
    replicas.mark_stored(replica, attempt, verified=True)
    damage.note_recovery(obj.pk)
    return True
