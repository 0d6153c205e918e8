"""The life cycle of a region: active, read-only, draining, offline, removed."""

import logging

from django.db import transaction
from django.db.models import Count, Q

from accounts import audit
from accounts.audit import Actor
from backup_service import clock
from storage.models import Refill, Region, Replica, StoredObject
from storage.objects import placement
from storage.regions import drain as draining
from storage.regions import write_off
from storage.stores.base import RegionError, RegionStore
from storage.stores.registry import begin_anew, configured, store_of, sync_rows

log = logging.getLogger(__name__)
Status = Region.Status


class RegionActionError(RegionError):
    """Raised for an action that is not possible now; the text says why and what to do."""


def find(alias: str) -> Region:
    """Return a region by its name. Raises RegionActionError."""
    region = Region.objects.filter(alias=alias).first()
    if region is None:
        known = ", ".join(Region.objects.values_list("alias", flat=True)) or "none"
        raise RegionActionError(f"There is no region {alias}; there are: {known}.")
    return region


def add(alias: str, actor: Actor) -> Region:
    """Begin to use a region of the environment: a new one, or one that was removed.

    Raises RegionActionError, or RegionUnavailableError when its store cannot be made ready.
    """
    if alias not in configured():
        raise RegionActionError(
            f"Name the region in the environment first, NIGHTSAFE_REGIONS=…,{alias}=/its/place, "
            "for this command and for every process of the service."
        )
    sync_rows()
    region = find(alias)
    if region.instance:
        raise RegionActionError(
            f"Region {alias} is {region.status} already; there is nothing to add."
        )
    begin_anew(region, actor)
    with transaction.atomic():
        Region.objects.filter(pk=region.pk).update(status=Status.ACTIVE)
        audit.record(actor, "region.add", alias)
        Refill.request()
    return find(alias)


def drain(region: Region, actor: Actor) -> bool:
    """Begin to empty a region. Return whether that is new. Raises RegionActionError."""
    others = [candidate for candidate in placement.candidates() if candidate.region != region.pk]
    domains = placement.reachable_replicas(candidate for candidate in others if candidate.takes)
    if domains < Replica.MIN_COPIES:
        raise RegionActionError(
            f"Without {region.alias} there {'is' if domains == 1 else 'are'} {domains or 'no'} "
            f"failure domain{'s' * (domains != 1)} left to take replicas, and every object needs "
            f"{Replica.MIN_COPIES}. Add a region first, then drain this one."
        )
    left = draining.left_in(region)
    return _move(
        region,
        Status.DRAINING,
        [Status.ACTIVE, Status.READ_ONLY],
        actor,
        drain_began_at=clock.now(),
        drain_objects=left.objects,
        drain_bytes=left.bytes,
        drain_cursor=0,
    )


def read_only(region: Region, actor: Actor) -> bool:
    """Let a region keep its replicas and take no more. Return whether that is new."""
    return _move(region, Status.READ_ONLY, [Status.ACTIVE, Status.DRAINING], actor)


def offline(region: Region, actor: Actor) -> bool:
    """Take a region offline: neither read nor written, its replicas are made elsewhere."""
    before = [Status.ACTIVE, Status.READ_ONLY, Status.DRAINING]
    return _move(region, Status.OFFLINE, before, actor)


def online(region: Region, actor: Actor) -> bool:
    """Use a region again, whatever it was. Return whether that is new.

    After it was offline its replicas count once they have been read back. Raises
    RegionUnavailableError if its store is not there.
    """
    if region.status in (Status.STRUCK, Status.REMOVED):
        raise RegionActionError(
            f"Region {region.alias} was {_word(region)}. Begin it anew, empty: "
            f"`region add {region.alias}`."
        )
    store_of(region).check()
    fields = {"trusted_from": clock.now()} if region.status == Status.OFFLINE else {}
    before = [Status.OFFLINE, Status.DRAINING, Status.READ_ONLY]
    return _move(region, Status.ACTIVE, before, actor, away_since=None, **fields)


def remove(region: Region, actor: Actor) -> None:
    """Take an emptied region out of use for good. Raises RegionActionError unless it is empty."""
    if region.status not in (Status.DRAINING, Status.OFFLINE, Status.READ_ONLY):
        raise RegionActionError(
            f"Region {region.alias} is {region.status}. Drain it first: "
            f"`region drain {region.alias}`."
        )
    store = _store_of(region)
    if write_off.finish(region, actor):
        _drop_notes(store)
    else:
        left = draining.left_in(region)
        raise RegionActionError(
            f"Region {region.alias} is not empty: {left.objects} replicas, {left.doomed} doomed "
            f"and {left.kept_aside} damaged ones that are kept aside are left. Drain it "
            f"(`region drain {region.alias}`) and wait until `region status` calls it empty. If "
            "its store is lost for good: `region remove --lost`."
        )


def _store_of(region: Region) -> RegionStore | None:
    try:
        return store_of(region)
    except RegionError:
        return None  # taken out of the environment already


def _drop_notes(store: RegionStore | None) -> None:
    """Remove the service's notes from a store that is given back."""
    try:
        if store is not None:
            store.drop_notes()
    except RegionError as error:
        log.warning("the service's notes are still there: %s", error)


def write_off_region(region: Region, actor: Actor) -> None:
    """Write off a region that is lost for good: its replicas count as missing from now on."""
    _move(region, Status.STRUCK, [s for s in Status if s != Status.REMOVED], actor)


def sole_replicas(region: Region) -> int:
    """Return how many objects have their only readable replica in this region."""
    elsewhere = Count(
        "replicas",
        filter=Q(replicas__state=Replica.State.STORED, replicas__region__status__in=Region.READABLE)
        & ~Q(replicas__region=region),
    )
    stored = Replica.objects.stored().filter(region=region)
    here = StoredObject.objects.kept().filter(replicas__in=stored)
    return (
        StoredObject.objects.filter(pk__in=here)
        .annotate(elsewhere=elsewhere)
        .filter(elsewhere=0)
        .count()
    )


@transaction.atomic
def _move(
    region: Region, status: str, before: list[Region.Status], actor: Actor, **fields: object
) -> bool:
    """Change a region's status if it has one of those `before`, and request a backfill."""
    if not region.instance:
        raise RegionActionError(
            f"Region {region.alias} has not been prepared: `region add {region.alias}`."
        )
    moved = Region.objects.filter(pk=region.pk, status__in=before).update(status=status, **fields)
    if moved:
        audit.record(actor, "region.status", region.alias, status=status)
        Refill.request()
        region.status = status
        return True
    now = Region.objects.get(pk=region.pk)
    if now.status != status:
        raise RegionActionError(
            f"Region {region.alias} is {_word(now)} and cannot become {status} from there"
            + (f": bring it online first, `region online {region.alias}`." if now.instance else ".")
        )
    return False


def _word(region: Region) -> str:
    return "given up as lost" if region.status == Status.STRUCK else str(region.status)
