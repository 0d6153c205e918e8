"""Reports what each region holds, what waits, and what is damaged."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from billing.actions import DEFAULT_PLAN
from billing.models import Plan
from storage.counters import figures as counted
from storage.counters.figures import RegionCount
from storage.models import Attempt, Region, Replica, StoredObject, Vault
from storage.objects import placement
from storage.stores.base import RegionUnavailableError
from storage.stores.registry import configured, store_of, traits_of


@dataclass(frozen=True)
class RegionStatus:
    """One region's figures. Bytes are of stored replicas; age in seconds, 0 with no backlog."""

    region: str
    place: str
    status: str
    reachable: bool
    objects: int
    bytes: int
    pending: int
    waiting_bytes: int
    corrupt: int
    parked: int
    doomed: int
    oldest_pending_age: float
    problem: str = ""
    health: str = "well"
    continent: str = ""
    failure_domain: str = ""
    capacity: int | None = None
    empty: bool = False
    drain: "Drain | None" = None


@dataclass(frozen=True)
class Drain:
    """The progress of a drain. Rates are means since it began, 0 while there is none.

    `objects_left` and `bytes_left` are replicas on the rows; `doomed` bytes wait for the sweep.
    """

    began_at: datetime
    objects_left: int
    bytes_left: int
    doomed: int
    kept_aside: int
    objects_per_second: float
    bytes_per_second: float


@dataclass(frozen=True)
class ReplicaCounts:
    """How many replicas objects have, over all regions.

    `reachable` is how many replicas an object can have at all: one in each failure domain.
    """

    objects: int
    under_replicated: int
    fewer_than_two_verified: int
    lost: int
    waiting: int
    reachable: int
    promised: int

    @property
    def too_few_regions(self) -> bool:
        """Whether there are fewer failure domains than replicas promised to somebody."""
        return self.reachable < self.promised


def region_status(now: datetime) -> list[RegionStatus]:
    """Return every region's figures, in the order in which uploads try them.

    A fixed number of queries, none of which reads objects or replicas.
    """
    shown = Region.objects.order_by("priority", "alias")
    counts, open_ones = counted.by_region(counted.of_service()), _without_replica()
    return [
        _status(region, counts.get(region.pk, RegionCount()), open_ones[region.pk], now)
        for region in shown
        if region.status != Region.Status.REMOVED or region.alias in configured()
    ]


def promised_replicas() -> int:
    """Return the largest number of replicas promised of anything stored; 0 if nothing is."""
    kept = StoredObject.objects.kept().filter(vault=OuterRef("pk"))
    copies = Coalesce(
        F("account__subscription__plan__copies"),
        Subquery(Plan.objects.filter(slug=DEFAULT_PLAN).values("copies")[:1]),
    )
    found = Vault.objects.filter(Exists(kept)).aggregate(most=Coalesce(Max(copies), 0))
    return int(found["most"])


def replica_counts() -> ReplicaCounts:
    """Count objects by their replicas. Reads every object's row: for operators, not for pages."""
    kept = StoredObject.objects.kept()
    figures = kept.annotate(
        good=Replica.objects.counted().per_object(),
        verified=Replica.objects.verified().per_object(),
        plans=Coalesce(
            F("vault__account__subscription__plan__copies"),
            Subquery(Plan.objects.filter(slug=DEFAULT_PLAN).values("copies")[:1]),
        ),
    ).aggregate(
        objects=Count("pk"),
        under_replicated=Count("pk", filter=Q(good__lt=F("plans"))),
        fewer_than_two_verified=Count("pk", filter=Q(verified__lt=Replica.MIN_COPIES)),
    )
    return ReplicaCounts(
        lost=StoredObject.objects.lost().count(),
        waiting=Replica.objects.waiting().count(),
        promised=promised_replicas(),
        reachable=placement.reachable_replicas(placement.candidates()),
        **figures,
    )


def _drain(
    region: Region, count: RegionCount, open_ones: Counter[str], now: datetime
) -> Drain | None:
    if region.status != Region.Status.DRAINING or region.drain_began_at is None:
        return None
    objects, size = count.copies, count.stored_bytes + count.damaged_bytes
    elapsed = max(1.0, (now - region.drain_began_at).total_seconds())
    aside = open_ones[Attempt.State.QUARANTINED]
    return Drain(
        began_at=region.drain_began_at,
        objects_left=objects,
        bytes_left=size,
        doomed=open_ones.total() - aside,
        kept_aside=aside,
        objects_per_second=round(max(0, region.drain_objects - objects) / elapsed, 2),
        bytes_per_second=round(max(0, region.drain_bytes - size) / elapsed),
    )


def _without_replica() -> dict[int, Counter[str]]:
    """Count the attempts to which no replica points, by region and state."""
    found: dict[int, Counter[str]] = defaultdict(Counter)
    rows = Attempt.objects.exclude(state=Attempt.State.STORED).order_by()  # as their index has it
    for region, state, number in rows.values_list("region", "state").annotate(Count("pk")):
        found[region][state] = number
    return found


def _status(
    region: Region, count: RegionCount, open_ones: Counter[str], now: datetime
) -> RegionStatus:
    oldest, problem, traits = count.waiting_since, _problem(region), traits_of(region)
    return RegionStatus(
        region=region.alias,
        place=region.place,
        status=region.status,
        reachable=not problem,
        objects=count.stored,
        bytes=count.stored_bytes,
        pending=count.pending,
        waiting_bytes=count.waiting_bytes,
        corrupt=count.damaged,
        parked=count.parked,
        doomed=open_ones[Attempt.State.DOOMED],
        oldest_pending_age=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        problem=problem,
        health=region.health,
        continent=traits.continent,
        failure_domain=traits.failure_domain,
        capacity=traits.capacity,
        empty=not count.copies and not open_ones.total(),
        drain=_drain(region, count, open_ones, now),
    )


def _problem(region: Region) -> str:
    if region.status == Region.Status.REMOVED:
        return "removed: take it out of NIGHTSAFE_REGIONS, or begin it anew with `region add`"
    if region.alias not in configured():
        return "not configured any more"
    try:
        store_of(region).check()
    except RegionUnavailableError as error:
        return str(error)
    return ""
