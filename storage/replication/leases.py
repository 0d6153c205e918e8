"""Leases replication work: claimed in a short transaction, finished only while the lease holds."""

import random
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts import audit
from accounts.audit import SERVICE, Actor
from backup_service import clock
from storage import wakeups
from storage.counters import tally
from storage.database import lock_order
from storage.models import Region, Replica

MOST_TRIES = 12
PAGE = 1000  # rows that are changed in one transaction
SUSPECT = 3  # tries, the last of which a worker did not survive
FIRST_WAIT = 2.0  # seconds
LONGEST_WAIT = 3600.0
# While a region is away nothing is the object's fault: it waits a part of what it has waited.
OUTAGE_WAIT = (5.0, 300.0)
OUTAGE_PART = 4
DEADLY = (
    f"{MOST_TRIES} times the worker that was making this replica ended before it was done. Look "
    "into the workers' logs and the region, then unpark it."
)


@dataclass(frozen=True)
class Claim:
    """Replicas that this worker has leased."""

    token: str
    replicas: list[Replica]


def due() -> QuerySet[Replica]:
    """Return the replicas that somebody could make now, in the order of their vaults' commits."""
    now = clock.now()
    return (
        Replica.objects.waiting()
        .filter(
            Q(lease_until=None) | Q(lease_until__lt=now),
            parked_at=None,
            next_attempt_at__lte=now,
            region__in=Region.objects.active(),
        )
        .feasible()
        .order_by("sequence", "pk")
    )


def orderly() -> QuerySet[Replica]:
    """Return the replicas that are due and may be made beside others."""
    return due().exclude(~Q(lease_token=""), tries__gte=SUSPECT)


def claim(limit: int, *, region: int | None = None, vaults: Collection[int] = ()) -> Claim:
    """Lease up to `limit` due replicas, the same number of each of `vaults`, in commit order.

    Nobody else gets them until the lease ends. The try is counted now, so that one which ends
    the worker counts as well.
    """
    rows = orderly() if region is None else orderly().filter(region=region)
    if not vaults:
        return _take([(rows, limit)], limit)
    share = -(-limit // len(vaults))
    return _take([(rows.filter(object__vault=vault), share) for vault in vaults], limit)


def claim_suspect() -> Claim:
    """Lease one replica that workers did not survive before, to be made while nothing else is.

    Those that too many workers did not survive are parked first.
    """
    now = clock.now()
    dead = Replica.objects.waiting().filter(~Q(lease_token=""), lease_until__lt=now)
    hopeless = dead.filter(tries__gte=MOST_TRIES, parked_at=None)
    with tally.changing_replicas(hopeless, most=PAGE) as page:
        Replica.objects.filter(pk__in=page).update(
            parked_at=now, lease_token="", lease_until=None, last_error=DEADLY
        )
    return _take([(due().filter(~Q(lease_token=""), tries__gte=SUSPECT), 1)], 1)


@transaction.atomic
def _take(shares: list[tuple[QuerySet[Replica], int]], limit: int) -> Claim:
    token = uuid.uuid4().hex
    chosen: list[int] = []
    for rows, share in shares:
        locked = rows.select_for_update(skip_locked=True, no_key=True, of=("self",))
        most = min(share, limit - len(chosen))
        chosen += locked.values_list("pk", flat=True)[:most]
    Replica.objects.filter(pk__in=chosen).update(
        lease_token=token, lease_until=clock.now() + settings.LEASE, tries=F("tries") + 1
    )
    replicas = Replica.objects.filter(pk__in=chosen).select_related("object__vault", "region")
    return Claim(token, list(replicas.order_by("sequence", "pk")))


@transaction.atomic
def renew(claimed: Collection[tuple[int, str]]) -> None:
    """Extend leases, by primary key and token; those that were taken over stay so."""
    mine = Replica.objects.waiting().filter(
        pk__in=[pk for pk, _ in claimed],
        lease_token__in={token for _, token in claimed},
    )
    Replica.objects.filter(pk__in=lock_order.lock(mine)).update(
        lease_until=clock.now() + settings.LEASE
    )


def leased(replica: Replica, token: str) -> QuerySet[Replica]:
    """Return the replica's row if this lease still holds it: the condition of every finish."""
    return Replica.objects.waiting().filter(pk=replica.pk, lease_token=token)


def put_off(replica: Replica, token: str, reason: str, *, is_regions_fault: bool = False) -> None:
    """End a lease after a failure: the replica is tried later, or parked after too many tries.

    When a whole region is away or full, the try does not count: nothing is parked for that.
    """
    now = clock.now()
    if is_regions_fault:
        tries, parked = replica.tries - 1, False
        wait = (now - replica.since).total_seconds() / OUTAGE_PART
        wait = min(max(wait, OUTAGE_WAIT[0]), OUTAGE_WAIT[1])
    else:
        tries, parked = replica.tries, replica.tries >= MOST_TRIES
        wait = min(FIRST_WAIT * 2**tries, LONGEST_WAIT)
    wait *= random.uniform(0.5, 1.5)  # noqa: S311
    fields = {
        "tries": max(0, tries),
        "next_attempt_at": now + timedelta(seconds=wait),
        "lease_token": "",
        "lease_until": None,
        "last_error": reason[:300],
    }
    if not parked:
        leased(replica, token).update(**fields)
        return
    with tally.changing_replicas(leased(replica, token), most=1) as mine:
        Replica.objects.filter(pk__in=mine).update(parked_at=now, **fields)


def unpark(chosen: Collection[int] | None = None, *, actor: Actor = SERVICE) -> int:
    """Put parked replicas back on the work list, all or those `chosen` by primary key.

    Returns how many. What staff chose is on record.
    """
    parked = Replica.objects.parked()
    if chosen is not None:
        parked = parked.filter(pk__in=chosen)
    unparked = _change(parked, parked_at=None, tries=0, next_attempt_at=clock.now())
    if unparked and chosen is not None:
        audit.record(actor, "copies.unpark", f"{unparked} replicas", copies=sorted(chosen))
        wakeups.replication()
    return unparked


def bring_forward() -> int:
    """Make replicas that wait for their next try due now; return how many."""
    waiting = Replica.objects.waiting().filter(lease_token="")
    return _change(waiting, next_attempt_at=clock.now())


def _change(rows: QuerySet[Replica], **fields: Any) -> int:
    """Change rows, however many there are, a page at a time; return how many."""
    changed, last = 0, 0
    while True:
        with tally.changing_replicas(rows.filter(pk__gt=last), most=PAGE) as page:
            changed += Replica.objects.filter(pk__in=page).update(**fields)
        if not page:
            return changed
        last = page[-1]
