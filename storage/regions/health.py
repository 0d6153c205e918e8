"""Checks which regions are away and which are full."""

import logging
from datetime import timedelta

from django.db.models import Sum

from backup_service import clock
from storage.models import Attempt, Refill, Region
from storage.stores.base import RegionError, RegionStore
from storage.stores.registry import store_of, traits_of

log = logging.getLogger(__name__)
LEAST_ROOM = 256 * 1024**2  # bytes free, below which a region gets nothing new
FULL_FOR = timedelta(minutes=5)  # a store that has said so is asked last for this long


def check_all() -> None:
    """Check every region; begin a backfill if another set of regions can take replicas now."""
    used = Region.objects.configured().exclude(instance="")
    changed = [_check(region) for region in used.exclude(status=Region.Status.STRUCK)]
    if any(changed):
        Refill.request()


def _check(region: Region) -> bool:
    """Record one region's health; return whether it became full, or has room again."""
    now = clock.now()
    try:
        store = store_of(region)
        store.check()
        full = _is_full(region, store)
    except RegionError as error:
        if Region.objects.filter(pk=region.pk, away_since=None).update(away_since=now):
            log.error("region %s is away: %s", region.alias, error)
        return False
    Region.objects.filter(pk=region.pk).exclude(away_since=None).update(away_since=None)
    if full:
        return bool(Region.objects.filter(pk=region.pk, full_since=None).update(full_since=now))
    was_full = Region.objects.filter(pk=region.pk, full_since__lt=now - FULL_FOR)
    return bool(was_full.update(full_since=None))


def _is_full(region: Region, store: RegionStore) -> bool:
    if store.capacity().free < LEAST_ROOM:
        return True
    limit = traits_of(region).capacity
    return limit is not None and used_bytes(region) >= limit


def used_bytes(region: Region) -> int:
    """Return the bytes of everything that was stored in a region and not yet swept."""
    attempts = Attempt.objects.filter(region=region).exclude(state=Attempt.State.WRITING)
    return int(attempts.aggregate(size=Sum("size", default=0))["size"])
