"""Schedules pending replicas round-robin across vaults, per region.

Of a vault's replicas the oldest commit goes first, so that its recovery point moves on; between
vaults everybody gets the same. Every second pick is a vault that has waited only moments, so a
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
    """Vaults with replicas to be made, as the database had them a moment ago."""

    def __init__(self) -> None:
        self._queues: dict[int, tuple[deque[int], deque[int]]] = {}
        self._stale_at = 0.0
        self._next = 0  # the queue, fresh or old, that comes next

    @property
    def regions(self) -> list[int]:
        """The regions, by primary key, in which replicas are to be made."""
        return [region for region, queues in self._queues.items() if any(queues)]

    def refresh(self, *, now: bool = False) -> None:
        """Read the list again if it is old, or now."""
        begun = time.monotonic()
        if not now and begun < self._stale_at:
            return
        fresh_since = clock.now() - FRESH
        queues: dict[int, tuple[deque[int], deque[int]]] = defaultdict(lambda: (deque(), deque()))
        found = leases.orderly().order_by().values_list("region", "object__vault")
        rows = list(found.annotate(first=Min("since")))
        random.shuffle(rows)
        for region, vault, first in rows:
            queues[region][0 if first > fresh_since else 1].append(vault)
        self._queues = dict(queues)
        cost = time.monotonic() - begun
        self._stale_at = begun + max(LEAST_AGE, SHARE * cost)

    def take(self, region: int, count: int) -> list[int]:
        """Return the next vaults, up to `count`, and put them at the end of the queue."""
        queues = self._queues.get(region, (deque(), deque()))
        chosen: list[int] = []
        taken = [0, 0]
        while len(chosen) < count:
            left = [n for n in (0, 1) if taken[n] < len(queues[n])]
            if not left:
                break
            n = self._next if self._next in left else left[0]
            chosen.append(queues[n][0])
            queues[n].rotate(-1)
            taken[n] += 1
            self._next = 1 - n
        return chosen

    def finished(self, region: int, vault: int) -> None:
        """Remove a vault that has nothing due any more."""
        for queue in self._queues.get(region, ()):
            if vault in queue:
                queue.remove(vault)
