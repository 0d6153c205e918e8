"""Makes the replicas that are pending, corrupt or missing.

One worker makes many replicas at once. Its threads transfer bytes (`replication/transfer.py`); the
rows are claimed and finished here, by one thread, and no transaction is open while bytes flow. The
bytes come from a good replica, are hashed on the way, and are verified in the target region before
the row says STORED. A region that answers "done" and stored nothing is found here.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction

from backup_service import clock
from storage.counters import tally
from storage.models import Attempt, Region, Replica, StoredObject
from storage.objects import damage, placement
from storage.objects import replicas as replica_changes
from storage.replication import leases, transfer
from storage.replication.scheduler import RoundRobin
from storage.replication.thread_jobs import ThreadJobs
from storage.replication.transfer import Location, Outcome, Transfer
from storage.stores import rate_limits
from storage.stores.base import RegionFullError, RegionUnavailableError
from storage.stores.cooldowns import Cooldowns
from storage.stores.registry import store_of

log = logging.getLogger(__name__)
MOST_THREADS = 64
RENEW = 20.0  # seconds between two renewals of leases
COOLDOWN = 5  # times as long as finding out took, a region that is away is left alone

resting = Cooldowns()  # regions that are away


def replicate_due(*, seconds: float = math.inf) -> int:
    """Make the replicas that are due, many at once; return how many were made.

    None is begun after `seconds`, so that a long backlog leaves room for other work.
    """
    return _Replicator(time.monotonic() + seconds).run()


@dataclass(frozen=True)
class _Job:
    """A thread's job: to make a replica, to check one that may be good after all, or a region."""

    region: Region
    replica: Replica | None = None
    token: str = ""
    attempt: Attempt | None = None
    begun: float = 0.0


class _Replicator:
    """One run: the schedule, the threads' jobs, and the regions that take replicas."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._scheduler = RoundRobin()
        self._jobs = ThreadJobs[_Job, Outcome](MOST_THREADS, "copy")
        self._busy: Counter[int] = Counter()
        self._regions: dict[int, Region] = {}
        self._open: set[int] = set()
        self._asked: set[int] = set()
        self._renew_at = time.monotonic() + RENEW
        self._made = 0

    def run(self) -> int:
        """Make replicas until nothing is due or time is up."""
        with self._jobs:
            self._begin(leases.claim_suspect())
            self._finish_all()
            while time.monotonic() < self._until:
                self._scheduler.refresh(now=not self._jobs)
                self._fill()
                if not self._jobs:
                    break
                self._finish_some()
            self._finish_all()
        return self._made

    def _fill(self) -> None:
        for pk in self._scheduler.regions:
            if pk not in self._asked:
                self._ask(pk)
            elif pk in self._open:
                self._claim(self._regions[pk])

    def _ask(self, pk: int) -> None:
        """Have a thread check that a region is there, before anything is claimed for it."""
        region = self._regions[pk] = Region.objects.get(pk=pk)
        self._asked.add(pk)
        if region.alias not in resting:
            job = _Job(region, begun=time.monotonic())
            self._submit(job, partial(transfer.outcome_of, lambda: store_of(region).check()))

    def _claim(self, region: Region) -> None:
        slots = rate_limits.slots(region.alias)
        free = slots - self._busy[region.pk]
        if free * 2 < slots:
            return
        vaults = self._scheduler.take(region.pk, free)
        if not vaults:
            return
        claim = leases.claim(free, region=region.pk, vaults=vaults)
        share = -(-free // len(vaults))
        got = Counter(replica.object.vault_id for replica in claim.replicas)
        if len(claim.replicas) < free:
            for vault in vaults:
                if got[vault] < share:
                    self._scheduler.finished(region.pk, vault)
        self._begin(claim)

    def _begin(self, claim: leases.Claim) -> None:
        """Have threads check replicas that may be good after all, and make the others."""
        for replica in claim.replicas:
            self._regions.setdefault(replica.region_id, replica.region)
            if replica.attempt_id is None:
                continue
            self._begin_check(replica, claim.token)
        absent = [replica for replica in claim.replicas if replica.attempt_id is None]
        self._begin_transfers(absent, claim.token)

    def _begin_check(self, replica: Replica, token: str) -> None:
        job, obj = _Job(replica.region, replica, token), replica.object
        attempt = Attempt.objects.select_related("vault").get(pk=replica.attempt_id)
        try:
            location = _location(replica, attempt)
        except RegionUnavailableError as error:
            self._failed(job, Outcome(error, is_regions_fault=True, is_targets_fault=True))
            return
        self._submit(job, partial(transfer.check, location, size=obj.size, sha256=obj.sha256))

    def _begin_transfers(self, replicas: list[Replica], token: str) -> None:
        attempts = begin(replicas)
        for replica, attempt in zip(replicas, attempts, strict=True):
            job = _Job(replica.region, replica, token, attempt)
            try:
                wanted = transfer_of(replica, attempt)
            except RegionUnavailableError as error:
                self._failed(job, Outcome(error, is_regions_fault=True, is_targets_fault=True))
                continue
            self._submit(job, partial(transfer.copy, wanted))

    def _submit(self, job: _Job, work: Callable[[], Outcome]) -> None:
        self._jobs.submit(job, work)
        self._busy[job.region.pk] += job.replica is not None

    def _finish_all(self) -> None:
        while self._jobs:
            self._finish_some()

    def _finish_some(self) -> None:
        for job, outcome in self._jobs.finished(RENEW):
            self._busy[job.region.pk] -= job.replica is not None
            self._settle(job, outcome)
        if self._renew_at <= time.monotonic():
            self._renew_at = time.monotonic() + RENEW
            leases.renew([(job.replica.pk, job.token) for job in self._jobs if job.replica])

    def _settle(self, job: _Job, outcome: Outcome) -> None:
        for source, error in outcome.bad:
            damage.mark(source, error)
        for alias in outcome.silent:
            placement.avoid(alias)  # or each of its objects would be waited for anew
        if job.replica is None:
            self._answered(job, outcome)
        elif outcome.error is None:
            self._made += finish(job.replica, job.token, job.attempt)
        elif job.attempt is None and not outcome.is_regions_fault:
            self._begin_transfers([job.replica], job.token)
        else:
            self._failed(job, outcome)

    def _answered(self, job: _Job, outcome: Outcome) -> None:
        if outcome.error is None:
            self._open.add(job.region.pk)
            return
        resting.start(job.region.alias, COOLDOWN * (time.monotonic() - job.begun))
        log.warning("no replication to region %s for now: %s", job.region.alias, outcome.error)

    def _failed(self, job: _Job, outcome: Outcome) -> None:
        if job.attempt is not None:
            replica_changes.doom(Attempt.objects.filter(pk=job.attempt.pk))
        if job.replica is None:
            return
        log.warning("replica %s to %s put off: %s", job.replica.pk, job.region.alias, outcome.error)
        if outcome.is_targets_fault:
            self._open.discard(job.region.pk)
        if isinstance(outcome.error, RegionFullError):
            job.region.note_full()
        leases.put_off(
            job.replica,
            job.token,
            str(outcome.error),
            is_regions_fault=outcome.is_regions_fault,
        )


@transaction.atomic
def begin(replicas: Iterable[Replica]) -> list[Attempt]:
    """Record where replicas are about to be stored, before any byte is."""
    due_at = clock.now() + settings.LEASE + timedelta(hours=6)
    return Attempt.objects.bulk_create(
        Attempt(
            vault=replica.object.vault,
            type=replica.object.type,
            name=replica.object.name,
            region=replica.region,
            due_at=due_at,
        )
        for replica in replicas
    )


def transfer_of(replica: Replica, attempt: Attempt) -> Transfer:
    """Return a replica's transfer. Raises RegionUnavailableError about its target."""
    obj = replica.object
    target = _location(replica, attempt)
    sources, is_incomplete = [], False
    stored = obj.replicas.readable().select_related("region", "attempt__vault")
    for source in placement.read_order(stored):
        try:
            if source.attempt is not None:
                sources.append(_location(source, source.attempt))
        except RegionUnavailableError as error:
            log.warning("not copied from: %s", error)
            is_incomplete = True
    return Transfer(obj.size, obj.sha256, sources, target, is_incomplete)


def _location(replica: Replica, attempt: Attempt) -> Location:
    alias = replica.region.alias
    return Location(replica, store_of(replica.region), attempt.key, rate_limits.copying(alias))


@tally.counting()
def finish(replica: Replica, token: str, attempt: Attempt | None) -> bool:
    """Record the new replica, or without one the old attempt, if the lease still holds."""
    StoredObject.objects.select_for_update(no_key=True).get(pk=replica.object_id)
    row = leases.leased(replica, token).exclude(object__state=StoredObject.State.PURGING)
    current = row.select_related("attempt").first()
    if attempt is None:
        if current is None or current.attempt is None:
            return False
        replica_changes.mark_stored(current, current.attempt, verified=True)
        tally.replica_changed(current)
        return True
    won = Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.WRITING).update(
        state=Attempt.State.STORED, size=replica.object.size
    )
    if not won or current is None:
        replica_changes.doom(Attempt.objects.filter(pk=attempt.pk))
        return False
    if current.attempt_id is not None:
        replica_changes.quarantine(current.attempt_id)
    replica_changes.mark_stored(current, attempt, verified=True)
    tally.replica_changed(current)
    return True
