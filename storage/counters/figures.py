"""Reads what was counted: of vaults, and of regions over all vaults."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Sum

from storage.counters.situation import Copy, parse
from storage.models import ObjectCount


@dataclass(frozen=True, slots=True)
class Count:
    """Objects in one situation: how many, snapshots among them, and bytes."""

    vault: int
    state: str
    copies: tuple[Copy, ...]
    objects: int
    snapshots: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RegionCount:
    """What there is in a region, or is to be, in copies and bytes.

    `waiting_since` is when the oldest copy that waits, parked ones too, began to at the latest.
    """

    copies: int = 0
    stored: int = 0
    stored_bytes: int = 0
    pending: int = 0
    damaged: int = 0
    damaged_bytes: int = 0
    parked: int = 0
    waiting_bytes: int = 0
    waiting_since: datetime | None = None


def of_vaults(vaults: Collection[int], *, states: Collection[str]) -> list[Count]:
    """Return the counts of vaults (by primary key), of objects in these states: one query."""
    rows = ObjectCount.objects.filter(vault__in=vaults, state__in=states).exclude(objects_held=0)
    fields = ("vault", "state", "copies", "objects_held", "snapshots", "bytes")
    return [
        Count(vault, state, parse(copies), objects, snapshots, size)
        for vault, state, copies, objects, snapshots, size in rows.values_list(*fields)
    ]


def of_service() -> list[Count]:
    """Return the counts of all vaults together, whatever the objects' state: one query."""
    rows = ObjectCount.objects.exclude(objects_held=0).order_by().values_list("copies")
    sums = rows.annotate(Sum("objects_held"), Sum("snapshots"), Sum("bytes"))
    return [
        Count(0, "", parse(copies), objects, snapshots, size)
        for copies, objects, snapshots, size in sums
    ]


def by_region(counts: Iterable[Count]) -> dict[int, RegionCount]:
    """Return what regions have, by primary key."""
    found: dict[int, RegionCount] = {}
    for count in counts:
        for copy in count.copies:
            found[copy.region] = _with(found.get(copy.region, RegionCount()), copy, count)
    return found


def earliest(*moments: datetime | None) -> datetime | None:
    """Return the earliest of moments that there are."""
    return min((one for one in moments if one is not None), default=None)


def _with(before: RegionCount, copy: Copy, count: Count) -> RegionCount:
    objects, size = count.objects, count.bytes
    if copy.is_there:
        return replace(
            before,
            copies=before.copies + objects,
            stored=before.stored + objects,
            stored_bytes=before.stored_bytes + size,
        )
    return replace(
        before,
        copies=before.copies + objects,
        pending=before.pending + (0 if copy.is_damaged else objects),
        damaged=before.damaged + (objects if copy.is_damaged else 0),
        damaged_bytes=before.damaged_bytes + (size if copy.is_damaged else 0),
        parked=before.parked + (objects if copy.is_parked else 0),
        waiting_bytes=before.waiting_bytes + size,
        waiting_since=earliest(before.waiting_since, copy.since),
    )
