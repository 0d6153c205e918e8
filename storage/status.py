"""How the regions stand: what they hold, what waits, what is damaged."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q, Sum

from storage import leases
from storage.models import Attempt, Region, Replica
from storage.regions import configured, store_of
from storage.regions.base import RegionUnavailableError

DAMAGED = [Replica.State.CORRUPT, Replica.State.MISSING]


@dataclass(frozen=True)
class RegionStatus:
    """One region's figures. Bytes are of stored copies; age in seconds, 0 with no backlog."""

    region: str
    place: str
    status: str
    reachable: bool
    objects: int
    bytes: int
    pending: int
    corrupt: int
    parked: int
    doomed: int
    oldest_pending_age: float
    problem: str = ""


def region_status(now: datetime) -> list[RegionStatus]:
    """Return every region's figures, in the order in which uploads try them."""
    return [_status(region, now) for region in Region.objects.order_by("priority")]


def _status(region: Region, now: datetime) -> RegionStatus:
    stored = Q(state=Replica.State.STORED)
    waiting = Q(state__in=leases.WORK)
    figures = Replica.objects.filter(region=region).aggregate(
        objects=Count("pk", filter=stored),
        bytes=Sum("object__size", filter=stored, default=0),
        pending=Count("pk", filter=Q(state=Replica.State.PENDING)),
        corrupt=Count("pk", filter=Q(state__in=DAMAGED)),
        parked=Count("pk", filter=waiting & ~Q(parked_at=None)),
        oldest=Min("since", filter=waiting),
    )
    oldest = figures.pop("oldest")
    problem = _problem(region)
    return RegionStatus(
        region=region.alias,
        place=region.place,
        status=region.status,
        reachable=not problem,
        doomed=Attempt.objects.filter(region=region, state=Attempt.State.DOOMED).count(),
        oldest_pending_age=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        problem=problem,
        **figures,
    )


def _problem(region: Region) -> str:
    if region.alias not in configured():
        return "not configured any more"
    try:
        store_of(region).check()
    except RegionUnavailableError as error:
        return str(error)
    return ""
