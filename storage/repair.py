"""Repair: making bad and missing copies good again, and finding what was thought lost."""

import logging
from dataclasses import dataclass

from django.db import transaction

from accounts.audit import Actor
from storage import copies, damage, leases, row_locks, rows
from storage.body import Body, ShortBodyError, WrongBytesError
from storage.models import Attempt, Region, Replica, StoredObject
from storage.regions import begin_anew, configured, store_of
from storage.regions.base import NoSuchKeyError, RegionError, RegionUnavailableError
from storage.replicate import replicate_due

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repairs:
    """What a repair did, and what it could not do."""

    regions_begun_anew: list[str]
    found_again: int
    copies_made: int
    waiting: int
    lost: int


def repair(actor: Actor) -> Repairs:
    """Do everything that can be done now for damaged, missing and lost copies.

    For operators: a region whose directory is gone or empty is begun anew and refilled.
    """
    begun = [region.alias for region in Region.objects.all() if _begin_anew_if_gone(region, actor)]
    leases.unpark()
    leases.bring_forward()
    found = find_lost()
    made = replicate_due()
    return Repairs(
        regions_begun_anew=begun,
        found_again=found,
        copies_made=made,
        waiting=Replica.objects.filter(state__in=leases.WORK).count(),
        lost=StoredObject.objects.filter(state=StoredObject.State.LOST).count(),
    )


def _begin_anew_if_gone(region: Region, actor: Actor) -> bool:
    if region.alias not in configured() or region.status != Region.Status.ACTIVE:
        return False
    try:
        store_of(region).check()
    except RegionUnavailableError as error:
        try:
            begin_anew(region, actor)
        except RegionUnavailableError:
            log.error("region %s cannot be used: %s", region.alias, error)
            return False
        _mark_all_missing(region)
        return True
    return False


def _mark_all_missing(region: Region) -> None:
    """Take a region's copies off the rows: its old store is gone for good."""
    stored = Replica.objects.filter(region=region, state=Replica.State.STORED)
    for replica in rows.steadily(stored, 500):
        damage.mark(replica, NoSuchKeyError(f"region {region.alias} was begun anew"))


def find_lost() -> int:
    """Look once more for bytes of lost objects, quarantined ones included; count the finds."""
    found = 0
    for held in rows.steadily(StoredObject.objects.filter(state=StoredObject.State.LOST)):
        attempts = Attempt.objects.filter(
            vault=held.vault_id,
            type=held.type,
            name=held.name,
            state__in=[Attempt.State.STORED, Attempt.State.QUARANTINED],
        ).select_related("vault", "region")
        found += any(_take_back(held, attempt) for attempt in attempts)
    return found


def _take_back(held: StoredObject, attempt: Attempt) -> bool:
    """Point the region's replica at an attempt whose bytes prove right."""
    try:
        with store_of(attempt.region).open(attempt.key) as reader:
            Body(reader, size=held.size, sha256=held.sha256).drain()
    except (RegionError, WrongBytesError, ShortBodyError):
        return False
    with transaction.atomic():
        row_locks.of_object(held.pk)
        StoredObject.objects.select_for_update(no_key=True).get(pk=held.pk)
        replica, _ = Replica.objects.get_or_create(
            object=held, region=attempt.region, defaults={"sequence": held.sequence}
        )
        if replica.state == Replica.State.STORED:
            return False
        row_locks.hold(Replica.objects.filter(pk=replica.pk))
        taken = Attempt.objects.filter(
            pk=attempt.pk, state__in=[Attempt.State.STORED, Attempt.State.QUARANTINED]
        ).update(state=Attempt.State.STORED)
        if not taken:
            return False
        if replica.attempt_id not in (None, attempt.pk):
            copies.quarantine(str(replica.attempt_id))
        copies.mark_stored(replica, attempt, verified=True)
        damage.note_recovery(held.pk)
    return True
