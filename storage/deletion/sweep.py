"""Garbage collection: removes bytes that no row points to, in runs of bounded time.

One worker sweeps at a time, in batches with an equal share of every account's bytes, so that no
account delays another. What could not be removed stays on the list.
"""

import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models, transaction

from backup_service import clock
from storage.database import elapsed_time, lock_order, single_runner
from storage.deletion import fair_shares, guard
from storage.models import Attempt, Region, Replica, StoredObject, SweptAttempt
from storage.objects import replicas
from storage.stores.base import RegionError, RegionStore
from storage.stores.registry import store_of
from storage.vaults import quota

log = logging.getLogger(__name__)
BATCH = 1000  # keys, as many as a store removes at once
PAGE = 200  # rows that are changed in one transaction
MOST_STUCK = 500  # keys that cannot be removed, after which a run ends
STAGING_AGE = timedelta(hours=24)
RETRY = timedelta(minutes=5)
REMEMBERED = timedelta(days=90)  # for which the survey knows what was swept


def sweep(*, doomed_before: datetime | None = None, seconds: float = math.inf) -> int:
    """Give up uploads that took too long, and remove doomed bytes; return how many were removed.

    A region that cannot be used keeps its doomed bytes on the list. Does nothing while
    another worker sweeps. Raises InDoubtError while the catalogue or the clock is in doubt.
    """
    guard.require_no_doubt()
    until, now = time.monotonic() + seconds, clock.database_now()
    with single_runner.alone("sweep") as is_mine:
        if not is_mine:
            return 0
        _give_up_late_uploads(now, until)
        _doom_old_quarantine(elapsed_time.grace_began_before() + settings.GRACE, until)
        _forget_swept(now)
        return _remove(doomed_before or now, until)


def _forget_swept(now: datetime) -> None:
    """Delete records of sweeps so old that none of their uploads can still arrive."""
    old = SweptAttempt.objects.filter(at__lt=now - REMEMBERED).order_by("at")
    page = list(old.values_list("pk", flat=True)[:BATCH])
    SweptAttempt.objects.filter(pk__in=page).delete()


def due(before: datetime) -> models.QuerySet[Attempt]:
    """Return the attempts whose bytes are to be removed."""
    return _unstored(Attempt.State.DOOMED).filter(due_at__lte=before, replica=None)


def _unstored(state: Attempt.State) -> models.QuerySet[Attempt]:
    """Return attempts that are not stored: an index has those alone, if a query says so."""
    return Attempt.objects.exclude(state=Attempt.State.STORED).filter(state=state)


def _give_up_late_uploads(now: datetime, until: float) -> None:
    late = _unstored(Attempt.State.WRITING).filter(due_at__lte=now)
    page = [""] * PAGE
    while len(page) == PAGE and time.monotonic() < until:
        with transaction.atomic():
            page = lock_order.lock(late, most=PAGE)
            Attempt.objects.filter(pk__in=page, state=Attempt.State.WRITING).update(
                state=Attempt.State.DOOMED, due_at=now + replicas.DOOM_DELAY
            )


def _doom_old_quarantine(now: datetime, until: float) -> None:
    """Doom quarantined bytes after their grace, unless their object has no verified replica."""
    verified = Replica.objects.filter(object=models.OuterRef("pk")).verified()
    wanting = StoredObject.objects.filter(
        ~models.Exists(verified),
        vault=models.OuterRef("vault"),
        type=models.OuterRef("type"),
        name=models.OuterRef("name"),
    )
    quarantined = Attempt.objects.filter(~models.Exists(wanting), state=Attempt.State.QUARANTINED)
    old = quarantined.filter(due_at__lte=now).order_by("pk")
    page = [""] * PAGE
    while len(page) == PAGE and time.monotonic() < until:
        page = list(old.values_list("pk", flat=True)[:PAGE])
        replicas.doom(quarantined.filter(pk__in=page))


def _remove(before: datetime, until: float) -> int:
    stores = reachable()
    stuck: set[str] = set()
    doomed = due(before).filter(region__in=stores)

    def take(account: int, most: int) -> Sequence[Attempt]:
        mine = doomed.filter(vault__account=account).exclude(pk__in=stuck)
        return list(mine.select_related("vault").order_by("due_at")[:most])

    accounts = doomed.order_by().values_list("vault__account", flat=True).distinct()
    swept = 0
    for batch in fair_shares.fair(list(accounts), take, BATCH):
        gone = _remove_bytes(batch, stores)
        swept += forget(gone)
        left = {attempt.pk for attempt in batch} - {attempt.pk for attempt in gone}
        _put_off(left)
        stuck |= left
        if len(stuck) >= MOST_STUCK or time.monotonic() >= until:
            break
    return swept


def reachable() -> dict[int, RegionStore]:
    stores = {}
    for region in Region.objects.configured():
        try:
            store = store_of(region)
            store.check()
        except RegionError as error:
            log.warning("doomed bytes stay for now: %s", error)
        else:
            stores[region.pk] = store
    return stores


def _remove_bytes(batch: Sequence[Attempt], stores: dict[int, RegionStore]) -> list[Attempt]:
    """Remove bytes from all regions at once; return the attempts whose bytes are surely gone."""
    by_region: dict[int, list[Attempt]] = {}
    for attempt in batch:
        by_region.setdefault(attempt.region_id, []).append(attempt)
    keys = {region: [one.key for one in some] for region, some in by_region.items()}
    with ThreadPoolExecutor(len(by_region)) as pool:
        removed = pool.map(lambda region: stores[region].delete_many(keys[region]), by_region)
        gone = {key for some in removed for key in some}
    return [attempt for attempt in batch if attempt.key in gone]


def forget(gone: Sequence[Attempt]) -> int:
    """Delete the rows of attempts whose bytes are gone, and release their quota."""
    count = 0
    for start in range(0, len(gone), PAGE):
        some = [attempt.pk for attempt in gone[start : start + PAGE]]
        with transaction.atomic():
            doomed = Attempt.objects.filter(
                pk__in=some, state=Attempt.State.DOOMED, replica__isnull=True
            )
            locked = lock_order.lock(doomed)
            quota.settle_all(locked)
            SweptAttempt.note(locked)
            deleted = Attempt.objects.filter(pk__in=locked).delete()[1]
            count += deleted.get(Attempt._meta.label, 0)
    return count


def _put_off(attempts: set[str]) -> None:
    """Postpone what could not be removed, so that it does not come first in the next run."""
    left = sorted(attempts)
    for start in range(0, len(left), PAGE):
        with transaction.atomic():
            locked = lock_order.lock(Attempt.objects.filter(pk__in=left[start : start + PAGE]))
            Attempt.objects.filter(pk__in=locked, state=Attempt.State.DOOMED).update(
                due_at=clock.now() + RETRY
            )


def sweep_staging() -> int:
    """Remove half-written files that killed processes left in the regions; return how many."""
    swept = 0
    for region in Region.objects.all():
        try:
            swept += store_of(region).sweep_staging(STAGING_AGE.total_seconds())
        except RegionError as error:
            log.warning("staging not swept: %s", error)
    return swept
