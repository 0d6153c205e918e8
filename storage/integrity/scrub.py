"""Verifies stored bytes again and again, so that decay is found and repaired early.

New replicas are read back within the hour. Old ones come round steadily, the longest unread first,
at the pace that brings every replica of a region round in four fifths of the scrub period. Where it
stands is in the rows, so a scrub may be stopped at any moment and goes on from there.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum

from backup_service import clock
from storage.counters import figures as counted
from storage.counters.figures import RegionCount
from storage.database import bulk, lock_order
from storage.models import Heartbeat, Region, Replica
from storage.models.replicas import ReplicaQuerySet
from storage.objects import damage
from storage.objects.verify import AT_ONCE, StoredBytes
from storage.replication import transfer
from storage.replication.thread_jobs import ThreadJobs
from storage.replication.transfer import Outcome
from storage.stores import rate_limits
from storage.stores.base import NoSuchKeyError, RegionUnavailableError
from storage.stores.rate_limits import UNLIMITED, RateLimit
from storage.stores.registry import store_of

log = logging.getLogger(__name__)
THREADS = 4  # each of which reads a few replicas side by side
PACE = 0.8  # of the scrub period, in which everything comes round
LEAST_AGE = timedelta(days=1)  # nothing is read more often
LONGEST_PAUSE = timedelta(days=1)  # that is caught up with at once
FIRST_PAUSE = timedelta(minutes=1)
RECORDED = 64  # proofs that are written down together

Report = Callable[["ScrubResult"], None]


@dataclass
class ScrubResult:
    """What a scrub verified and found, in replicas and bytes."""

    checked: int = 0
    bytes: int = 0
    damaged: int = 0
    unreachable: int = 0


def due(now: datetime) -> QuerySet[Replica]:
    """Return the replicas to be read back: new ones, and those not read for a scrub period."""
    before = now - settings.SCRUB_PERIOD
    return _oldest_first(Replica.objects.filter(Replica.UNVERIFIED | Q(verified_at__lt=before)))


def scrub_due(*, byte_budget: float, report: Report | None = None) -> ScrubResult:
    """Read back what is due, up to about `byte_budget` bytes."""
    scrubber = _Scrubber(report=report)
    due_now = due(clock.now()).filter(region__in=_reachable())
    return scrubber.run(bulk.steadily(due_now), byte_budget=byte_budget)


def scrub_for(*, seconds: float) -> ScrubResult:
    """Read back new replicas, then the next of the old ones, for up to `seconds`.

    Each region is read no faster than its rate allows.
    """
    until = time.monotonic() + seconds
    total = ScrubResult()
    for region in _reachable():
        scrubber = _Scrubber(
            until=until, rate_limit=rate_limits.scrubbing(region.alias), into=total
        )
        in_region = Replica.objects.filter(region=region)
        scrubber.run(bulk.steadily(_oldest_first(in_region.unverified())))
        _scrub_old(region, scrubber)
    Heartbeat.beat("scrub")
    return total


def scrub_all(*, report: Report | None = None) -> ScrubResult:
    """Read back every replica that can be reached, and count the others.

    Nothing is said about replicas in a region that is away: a drive that is not mounted has not
    lost anything.
    """
    healthy = {region.pk for region in _reachable()}
    scrubber = _Scrubber(report=report)
    scrubber.result.unreachable = Replica.objects.readable().exclude(region__in=healthy).count()
    there = Replica.objects.filter(region__in=healthy).order_by("pk")
    return scrubber.run(bulk.steadily(_stored(there)))


def regions_away() -> list[str]:
    """Return the aliases of the regions that should be read and are not there now."""
    there = {region.pk for region in _reachable()}
    return [region.alias for region in Region.objects.readable() if region.pk not in there]


def extent(rows: QuerySet[Replica] | None = None) -> tuple[int, int]:
    """Return how many replicas there are to scrub, of `rows` or of all, and their bytes."""
    stored = Replica.objects.readable() if rows is None else rows
    figures = stored.order_by().aggregate(copies=Count("pk"), bytes=Sum("object__size", default=0))
    return figures["copies"], figures["bytes"]


def allowance(stored: int, pause: timedelta) -> float:
    """Return how many bytes of `stored` are due after a pause, at the steady pace."""
    round_trip = settings.SCRUB_PERIOD * PACE
    return stored * (min(pause, LONGEST_PAUSE) / round_trip)


def _scrub_old(region: Region, scrubber: "_Scrubber") -> None:
    """Verify old replicas that are due. A budget too small for one is saved up."""
    now = clock.now()
    name = f"scrub {region.pk}"
    last = Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
    in_region = Replica.objects.stored().filter(region=region)
    stored = counted.by_region(counted.of_service()).get(region.pk, RegionCount()).stored_bytes
    budget = allowance(stored, now - last if last else FIRST_PAUSE)
    old = _oldest_first(in_region.filter(verified_at__lt=now - LEAST_AGE))
    first = old.first()
    if first is not None and first.verified_at and first.verified_at < now - settings.SCRUB_PERIOD:
        budget = math.inf  # late: as fast as the rate allows, until nothing is
        old = old.filter(verified_at__lt=now - settings.SCRUB_PERIOD)
    elif first is not None and budget < first.object.size and last is not None:
        return
    scrubber.run(bulk.steadily(old), byte_budget=budget)
    Heartbeat.objects.update_or_create(name=name, defaults={"at": now})


def _oldest_first(rows: ReplicaQuerySet) -> QuerySet[Replica]:
    return _stored(rows).order_by(F("verified_at").asc(nulls_first=True), "pk")


def _stored(rows: ReplicaQuerySet) -> QuerySet[Replica]:
    return rows.readable().select_related("object", "region", "attempt__vault")


def _reachable() -> list[Region]:
    regions = []
    for region in Region.objects.readable():
        try:
            store_of(region).check()
        except RegionUnavailableError as error:
            log.warning("cannot scrub: %s", error)
        else:
            regions.append(region)
    return regions


@transaction.atomic
def record_verified(replicas: Collection[Replica]) -> None:
    """Record that replicas were verified, unless a row has moved on to other bytes meanwhile."""
    attempts = [replica.attempt_id for replica in replicas]
    still = Replica.objects.stored().filter(attempt__in=attempts)
    Replica.objects.filter(pk__in=lock_order.lock(still)).update(verified_at=clock.now())


class _Scrubber:
    """Verifies replicas in threads, and records the results in the caller's thread."""

    def __init__(
        self,
        *,
        until: float = math.inf,
        rate_limit: RateLimit = UNLIMITED,
        report: Report | None = None,
        into: ScrubResult | None = None,
    ) -> None:
        self.result = ScrubResult() if into is None else into
        self._until = until
        self._rate_limit = rate_limit
        self._report = report
        self._jobs = ThreadJobs[list[Replica], list[Outcome]](THREADS, "scrub")
        self._next: list[tuple[Replica, StoredBytes]] = []
        self._verified: list[Replica] = []

    def run(self, rows: Iterable[Replica], *, byte_budget: float = math.inf) -> ScrubResult:
        """Verify replicas in order until the byte budget, the time or the replicas run out."""
        begun = self.result.bytes
        with self._jobs:
            for replica in rows:
                if self.result.bytes - begun >= byte_budget or time.monotonic() > self._until:
                    break
                self._add(replica)
                if len(self._next) == AT_ONCE:
                    self._begin()
                while len(self._jobs) > THREADS:
                    self._finish_some()
            self._begin()
            while self._jobs:
                self._finish_some()
        self._record()
        return self.result

    def _add(self, replica: Replica) -> None:
        obj = replica.object
        self.result.bytes += obj.size
        self.result.checked += 1
        try:
            if replica.attempt is None:
                raise NoSuchKeyError("no attempt")
            store, key = store_of(replica.region), replica.attempt.key
        except RegionUnavailableError:
            self.result.unreachable += 1
            return
        stored = StoredBytes(store, key, obj.size, obj.sha256, self._rate_limit)
        self._next.append((replica, stored))

    def _begin(self) -> None:
        """Submit what was added: a few replicas that one thread verifies side by side."""
        if self._next:
            check = partial(transfer.check_all, [stored for _, stored in self._next])
            self._jobs.submit([replica for replica, _ in self._next], check)
            self._next = []

    def _finish_some(self) -> None:
        for replicas, outcomes in self._jobs.finished():
            for replica, outcome in zip(replicas, outcomes, strict=True):
                self._settle(replica, outcome)
        if len(self._verified) >= RECORDED:
            self._record()
        if self._report is not None:
            self._report(self.result)

    def _settle(self, replica: Replica, outcome: Outcome) -> None:
        if outcome.error is None:
            self._verified.append(replica)
        elif outcome.is_regions_fault:
            self.result.unreachable += 1
        else:
            self.result.damaged += 1
            damage.mark(replica, outcome.error)

    def _record(self) -> None:
        record_verified(self._verified)
        self._verified.clear()
