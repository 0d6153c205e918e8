"""Finds objects with fewer replicas than their plan promises, and queues the missing ones.

What they lack is put on the work list as PENDING replicas; making them is the workers' business.
A walk begins when a region is added, lost, drained or comes back, when an account changes its
plan, and once an hour for everything else. Where it is stands in a row, so it goes on after any
interruption; and it waits while there is a backlog, so that new uploads' replicas are not kept
waiting behind a destroyed region's.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db.models import Max, Q, QuerySet

from accounts.models import Account, AuditEvent
from backup_service import clock
from billing.actions import entitlements_of
from storage import wakeups
from storage.counters import tally
from storage.database import lock_order
from storage.models import Refill, Replica, StoredObject
from storage.objects import placement
from storage.objects.placement import Candidate
from storage.replication import leases

log = logging.getLogger(__name__)
BATCH = 200  # objects checked between two records of the position
BACKLOG = 500  # replicas that wait to be made, beyond which no more are put on the list
EVERY = timedelta(hours=1)

Placed = dict[int, set[int]]  # object -> regions that have it or are about to


def backfill_due(*, seconds: float = math.inf) -> int:
    """Continue the walks for up to `seconds`; return how many replicas were queued."""
    _notice_plans()
    _begin_in_time()
    until, added = time.monotonic() + seconds, 0
    for walk in Refill.objects.filter(ended_at=None).order_by("scope"):
        while time.monotonic() < until and has_room():
            made = step(walk)
            if made is None:
                break
            added += made
    return added


def has_room() -> bool:
    """Return whether the work list is short, not counting what waits for its next try."""
    return leases.due()[:BACKLOG].count() < BACKLOG


def promised_copies(accounts: Collection[Account]) -> dict[int, int]:
    """Return how many replicas each account's plan promises, by primary key."""
    return {account.pk: entitlements_of(account).copies for account in set(accounts)}


def step(walk: Refill) -> int | None:
    """Check the next objects; return None at the end, or if another worker goes on with it."""
    kept = StoredObject.objects.kept().filter(pk__gt=walk.cursor)
    if walk.scope != Refill.EVERYTHING:
        kept = kept.filter(vault__account__public_id=walk.scope)
    page = list(kept.select_related("vault__account").order_by("pk")[:BATCH])
    mine = Refill.objects.filter(pk=walk.pk, round=walk.round, cursor=walk.cursor)
    if not page:
        mine.update(ended_at=clock.now())
        return None
    added = queue_missing([one.pk for one in lacking(page)])
    walk.cursor, before = page[-1].pk, mine
    return added if before.update(cursor=walk.cursor) else None


def lacking(objects: Sequence[StoredObject]) -> list[StoredObject]:
    """Return objects that need, and can get, another replica. Needs `vault__account` loaded."""
    candidates, promised = (
        placement.candidates(),
        promised_copies([one.vault.account for one in objects]),
    )
    placed = _placed([one.pk for one in objects], candidates)
    return [one for one in objects if _wanted(one, placed, candidates, promised)]


@tally.counting()
def queue_missing(objects: Collection[int]) -> int:
    """Queue the replicas that objects (by primary key) lack; return how many.

    Replicas that wait for a region which takes none are given up for those.
    """
    if not objects:
        return 0
    rows = StoredObject.objects.kept().filter(pk__in=objects).order_by("pk")
    locked = list(
        rows.select_related("vault__account").select_for_update(no_key=True, of=("self",))
    )
    candidates, promised = (
        placement.candidates(),
        promised_copies([one.vault.account for one in locked]),
    )
    placed = _placed([one.pk for one in locked], candidates)
    wanted = {one: _wanted(one, placed, candidates, promised) for one in locked}
    lacking_some = [one.pk for one, chosen in wanted.items() if chosen]
    with tally.changing(lacking_some):
        made = Replica.objects.bulk_create(
            [
                Replica(object=one, region_id=candidate.region, sequence=one.sequence)
                for one, chosen in wanted.items()
                for candidate in chosen
            ],
            ignore_conflicts=True,
        )
        _give_up_idle(lacking_some, candidates)
    if made:
        wakeups.replication()
    return len(made)


def idle() -> QuerySet[Replica]:
    """Return replicas that have no bytes yet and that nobody is making."""
    return Replica.objects.filter(
        Q(lease_token="") | Q(lease_until__lt=clock.now()),
        state=Replica.State.PENDING,
        attempt=None,
    )


def _wanted(
    obj: StoredObject, placed: Placed, candidates: list[Candidate], promised: dict[int, int]
) -> list[Candidate]:
    account = obj.vault.account
    return placement.further(
        candidates,
        holding=placed[obj.pk],
        copies=promised[account.pk],
        continent=account.continent,
    )


def _placed(objects: Collection[int], candidates: Collection[Candidate]) -> Placed:
    """Return where objects are, or are about to be, as far as those regions' replicas count."""
    counting = [candidate.region for candidate in candidates if candidate.counts]
    hopeless = {
        candidate.region for candidate in candidates if candidate.is_full or not candidate.takes
    }
    placed: Placed = defaultdict(set)
    rows = Replica.objects.filter(object__in=objects, region__in=counting)
    for pk, region, state in rows.values_list("object", "region", "state"):
        if state == Replica.State.STORED or region not in hopeless:
            placed[pk].add(region)
    return placed


def _give_up_idle(objects: Collection[int], candidates: Collection[Candidate]) -> None:
    hopeless = [
        candidate.region for candidate in candidates if candidate.is_full or not candidate.takes
    ]
    waiting = lock_order.lock(idle().filter(object__in=objects, region__in=hopeless))
    Replica.objects.filter(pk__in=waiting).delete()


def _begin_in_time() -> None:
    """Begin the hourly walk over everything when it is due."""
    walk, is_new = Refill.objects.get_or_create(scope=Refill.EVERYTHING)
    if not is_new and walk.ended_at is not None and walk.ended_at < clock.now() - EVERY:
        Refill.request()
    Refill.objects.exclude(scope=Refill.EVERYTHING).exclude(ended_at=None).delete()


def _notice_plans() -> None:
    """Begin walks over accounts that have changed their plans since the last check."""
    newest = AuditEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
    walk, _ = Refill.objects.get_or_create(scope=Refill.EVERYTHING, defaults={"seen_event": newest})
    changed = AuditEvent.objects.filter(
        pk__gt=walk.seen_event, pk__lte=newest, verb="plan.choose", account__isnull=False
    )
    for scope in set(changed.values_list("account__public_id", flat=True)):
        Refill.request(str(scope))
    Refill.objects.filter(pk=walk.pk, seen_event__lt=newest).update(seen_event=newest)
