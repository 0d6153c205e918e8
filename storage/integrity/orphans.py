"""Finds bytes in the regions that arrived after their upload had been given up and swept.

A client's PUT that was signed in time may arrive when the sweep has been there, and so may the end
of an upload that took longer than it may. Twice a day every region's list is walked through, page
by page, in runs of bounded time, however large a vault is. Only what the sweep has on record as
removed before is removed, and nothing else: bytes that nobody knows are counted, alarmed of, and
left to `reconcile`.
"""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

from backup_service import clock
from storage.database import single_runner
from storage.deletion import guard
from storage.models import Attempt, Region, Survey, SweptAttempt
from storage.object_names import StoreKey, parse_store_key
from storage.stores.base import RegionError, RegionStore
from storage.stores.registry import store_of

log = logging.getLogger(__name__)
EVERY = timedelta(hours=12)
PAGE = 1000  # keys


def survey(*, seconds: float = math.inf) -> int:
    """Continue the walk for up to `seconds`; return how many keys were removed again.

    Raises InDoubtError while the catalogue or the clock is in doubt.
    """
    guard.require_no_doubt()
    until, removed = time.monotonic() + seconds, 0
    with single_runner.alone("survey") as is_mine:
        for walk in _due() if is_mine else ():
            try:
                removed += _walk(walk, store_of(walk.region), until)
            except RegionError as error:
                log.warning("not surveyed to its end: %s", error)
            if time.monotonic() >= until:
                break
    return removed


def has_begun() -> bool:
    """Return whether a walk has begun and not ended."""
    return Survey.objects.filter(cursor__gt="").exists()


def _due() -> list[Survey]:
    regions = Region.objects.readable()
    walks = [Survey.objects.get_or_create(region=region)[0] for region in regions]
    before = clock.now() - EVERY
    return [
        walk for walk in walks if walk.ended_at is None or not before < walk.ended_at <= clock.now()
    ]


def _walk(walk: Survey, store: RegionStore, until: float) -> int:
    """Check the next pages, recording the position after each."""
    removed = 0
    for vault in sorted(name for name in store.list_vaults() if _is_ahead(name, walk.cursor)):
        for page in _pages(store, vault, _key_in(walk.cursor, vault)):
            removed += _clear_page(page, walk, store)
            walk.cursor = str(page[-1]) if len(page) == PAGE else vault
            walk.save(update_fields=["cursor", "strange_so_far"])
            if time.monotonic() >= until:
                return removed
    walk.cursor, walk.ended_at = "", clock.now()
    walk.strange, walk.strange_so_far = walk.strange_so_far, 0
    walk.save()
    return removed


def _is_ahead(vault: str, cursor: str) -> bool:
    """Return whether a vault, or part of it, is still to come: the cursor is a vault or a key."""
    return vault > cursor or cursor.startswith(f"{vault}/")


def _key_in(cursor: str, vault: str) -> StoreKey | None:
    """Return the key of a vault after which the walk continues, or None for its beginning."""
    return parse_store_key(cursor) if cursor.startswith(f"{vault}/") else None


def _pages(store: RegionStore, vault: str, after: StoreKey | None) -> Iterator[list[StoreKey]]:
    keys = (key for key, _size in store.list_keys(vault, after=after))
    while page := list(islice(keys, PAGE)):
        yield page


def _clear_page(page: Sequence[StoreKey], walk: Survey, store: RegionStore) -> int:
    """Remove keys that were swept before, count unknown ones; return how many were removed."""
    again, strange = _judge(page)
    removed = len(store.delete_many(again))
    walk.strange_so_far += len(strange)
    for key in strange:
        log.error("unknown bytes in region %s: %s", store.alias, key)
    return removed


def _judge(keys: Sequence[StoreKey]) -> tuple[list[StoreKey], list[StoreKey]]:
    """Return the keys that were swept before, and the unknown ones.

    The rows are asked after the list, and an upload has its row before it has bytes.
    """
    ids = [key.attempt for key in keys]
    known = set(Attempt.objects.filter(pk__in=ids).values_list("pk", flat=True))
    unknown = [key for key in keys if key.attempt not in known]
    if not unknown:
        return [], []
    ids = [key.attempt for key in unknown]
    swept = set(SweptAttempt.objects.filter(pk__in=ids).values_list("pk", flat=True))
    again = [key for key in unknown if key.attempt in swept]
    return again, [key for key in unknown if key.attempt not in swept]
