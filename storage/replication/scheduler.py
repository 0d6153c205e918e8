"""Round-robin scheduling of pending replicas across vaults, per region.

Of a vault's copies the oldest commit goes first, so that its recovery point moves on; between
vaults everybody gets the same. Vaults that have waited only moments take every second turn, so a
backlog of days, after an outage, never keeps what was stored just now waiting.
"""

import random
import time
from collections import defaultdict, deque
from datetime import timedelta

from django.db.models import Min

from backup_service import clock
from storage.replication import leases

FRESH = timedelta(minutes=1)
LEAST_AGE = 1.0  # seconds for which the list of vaults is good
SHARE = 20  # reading the list takes no more than one part in so many of the time


class RoundRobin:
    """The vaults that have work, as the database said a moment ago."""

    def __init__(self) -> None:
        self._lanes: dict[int, tuple[deque[int], deque[int]]] = {}
        self._stale_at = 0.0
        self._next = 0  # the lane, fresh or old, whose turn it is

    @property
    def regions(self) -> list[int]:
        """Primary keys of the regions that copies are wanted in."""
        return [region for region, lanes in self._lanes.items() if any(lanes)]

    def look(self, *, now: bool = False) -> None:
        """Read the list again if it is old, or now."""
        begun = time.monotonic()
        if not now and begun < self._stale_at:
            return
        fresh_since = clock.now() - FRESH
        lanes: dict[int, tuple[deque[int], deque[int]]] = defaultdict(lambda: (deque(), deque()))
        found = leases.orderly().order_by().values_list("region", "object__vault")
        rows = list(found.annotate(first=Min("since")))
        random.shuffle(rows)
        for region, vault, first in rows:
            lanes[region][0 if first > fresh_since else 1].append(vault)
        self._lanes = dict(lanes)
        cost = time.monotonic() - begun
        self._stale_at = begun + max(LEAST_AGE, SHARE * cost)

    def take(self, region: int, count: int) -> list[int]:
        """Return up to `count` vaults whose turn it is, and put them at the end of the queue."""
        lanes = self._lanes.get(region, (deque(), deque()))
        chosen: list[int] = []
        taken = [0, 0]
        while len(chosen) < count:
            left = [n for n in (0, 1) if taken[n] < len(lanes[n])]
            if not left:
                break
            n = self._next if self._next in left else left[0]
            chosen.append(lanes[n][0])
            lanes[n].rotate(-1)
            taken[n] += 1
            self._next = 1 - n
        return chosen

    def finished(self, region: int, vault: int) -> None:
        """Take a vault that has nothing due any more off the list."""
        for lane in self._lanes.get(region, ()):
            if vault in lane:
                lane.remove(vault)
