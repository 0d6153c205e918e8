"""Reports what each region holds, what waits, and what is damaged."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.actions import DEFAULT_PLAN
from billing.models import Plan
from storage.models import Attempt, Region, Replica, StoredObject, Vault
from storage.objects import placement
from storage.regions import drain as draining
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
    """Return every region's figures, in the order in which uploads try them."""
    shown = Region.objects.order_by("priority", "alias")
    return [
        _status(region, now)
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


def _drain(region: Region, now: datetime) -> Drain | None:
    if region.status != Region.Status.DRAINING or region.drain_began_at is None:
        return None
    left = draining.left_in(region)
    elapsed = max(1.0, (now - region.drain_began_at).total_seconds())
    return Drain(
        began_at=region.drain_began_at,
        objects_left=left.objects,
        bytes_left=left.bytes,
        doomed=left.doomed,
        kept_aside=left.kept_aside,
        objects_per_second=round(max(0, region.drain_objects - left.objects) / elapsed, 2),
        bytes_per_second=round(max(0, region.drain_bytes - left.bytes) / elapsed),
    )


def _status(region: Region, now: datetime) -> RegionStatus:
    stored = Q(state=Replica.State.STORED)
    waiting = Q(state__in=Replica.WORK)
    figures = Replica.objects.filter(region=region).aggregate(
        objects=Count("pk", filter=stored),
        bytes=Sum("object__size", filter=stored, default=0),
        pending=Count("pk", filter=Q(state=Replica.State.PENDING)),
        waiting_bytes=Sum("object__size", filter=waiting, default=0),
        corrupt=Count("pk", filter=Q(state__in=Replica.DAMAGED)),
        parked=Count("pk", filter=waiting & ~Q(parked_at=None)),
        oldest=Min("since", filter=waiting),
    )
    oldest = figures.pop("oldest")
    problem = _problem(region)
    traits = traits_of(region)
    return RegionStatus(
        region=region.alias,
        place=region.place,
        status=region.status,
        reachable=not problem,
        doomed=Attempt.objects.filter(region=region, state=Attempt.State.DOOMED).count(),
        oldest_pending_age=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        problem=problem,
        health=region.health,
        continent=traits.continent,
        failure_domain=traits.failure_domain,
        capacity=traits.capacity,
        empty=draining.left_in(region).is_empty,
        drain=_drain(region, now),
        **figures,
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
