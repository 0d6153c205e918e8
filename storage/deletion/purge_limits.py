"""Limits how much one day's purge removes, of each account and in all.

Whatever makes a purge take what it should not, an operator hears of it while most is still there.
"""

from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db.models import Count

from backup_service import clock
from storage.models import Catalogue, JournalEntry, StoredObject

DAY = timedelta(days=1)
LEAST_OF_ACCOUNT = 2_000  # objects, which may go in any case
LEAST_OF_ALL = 20_000


class PurgeLimits:
    """Counts what may still be purged today."""

    def __init__(self) -> None:
        entries = JournalEntry.objects.filter(
            kind=JournalEntry.Kind.PURGE, at__gt=clock.now() - DAY
        )
        counted = entries.order_by().values_list("vault__account").annotate(n=Count("pk"))
        self._gone = Counter(dict(counted))
        self._total = self._gone.total()
        self._most: dict[int, int] = {}
        self._most_of_all = 0

    def room(self, account: int) -> int:
        """Return how many more of an account's objects may be purged."""
        here = self._bound(account) - self._gone[account]
        room = max(0, min(here, self._bound_of_all() - self._total))
        if not room:
            Catalogue.objects.update(capped_at=clock.now())
        return room

    def count(self, account: int) -> None:
        """Count an object that was purged."""
        self._gone[account] += 1
        self._total += 1

    def _bound(self, account: int) -> int:
        if account not in self._most:
            there = StoredObject.objects.filter(vault__account=account).count()
            self._most[account] = _share(there + self._gone[account], LEAST_OF_ACCOUNT)
        return self._most[account]

    def _bound_of_all(self) -> int:
        if not self._most_of_all:
            self._most_of_all = _share(StoredObject.objects.count() + self._total, LEAST_OF_ALL)
        return self._most_of_all


def _share(objects: int, least: int) -> int:
    share: int = settings.PURGE_SHARE
    return max(least, objects * share // 100)
