"""Which regions an object's bytes go to."""

import threading
import time

from storage.models import Region
from storage.regions import configured, store_of
from storage.regions.base import RegionStore, RegionUnavailableError

AVOID = 15.0  # seconds for which a region that just failed is asked last

_failed: dict[str, float] = {}
_lock = threading.Lock()


def avoid(alias: str) -> None:
    """Ask this region last for a while, in this process."""
    with _lock:
        _failed[alias] = time.monotonic() + AVOID


def is_avoided(alias: str) -> bool:
    """Whether the region failed a moment ago."""
    return _failed.get(alias, 0.0) > time.monotonic()


def writable() -> list[Region]:
    """Return the regions that take new bytes, most wanted first."""
    regions = Region.objects.filter(status=Region.Status.ACTIVE, alias__in=configured())
    return sorted(regions, key=lambda region: (is_avoided(region.alias), region.priority))


def write_order() -> list[tuple[Region, RegionStore]]:
    """Return regions with their stores, in the order in which an upload should try them."""
    order = []
    for region in writable():
        try:
            order.append((region, store_of(region)))
        except RegionUnavailableError:
            avoid(region.alias)
    return order


def companions(home: Region, copies: int) -> list[Region]:
    """Return the further regions for an object stored in `home`, `copies` in all."""
    active = Region.objects.filter(status=Region.Status.ACTIVE, alias__in=configured())
    return list(active.exclude(pk=home.pk).order_by("priority")[: max(0, copies - 1)])
