"""Corrects timestamps that a clock set ahead has left in the future.

Work that is due in a month would not be done, a lease that ends then would let nobody else do it,
and whoever was told of an alarm "tomorrow" would not be told today. Each such moment becomes one
that lets things happen: work is due, leases are over, nobody has been told.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet

from storage.counters import tally
from storage.database import lock_order, single_runner
from storage.models import (
    Alarm,
    Attempt,
    CanaryRun,
    Channel,
    Credential,
    EndedLock,
    Heartbeat,
    Lock,
    LossNotice,
    Refill,
    Region,
    Replica,
    Runner,
    Survey,
    Vault,
)

SKEW = timedelta(minutes=5)  # by which clocks of several hosts may differ
PAGE = 1000  # rows that are changed in one transaction
COUNTED = {"since", "parked_at"}  # what replicas are counted by
Bound = tuple[QuerySet[Any], str, datetime, datetime | None]


def correct(now: datetime) -> int:
    """Correct moments further ahead of `now` than they can be; return how many rows changed."""
    changed = sum(
        _change(rows.filter(**{f"{field}__gt": latest}), **{field: becomes})
        for rows, field, latest, becomes in _bounds(now)
    )
    soon = now + SKEW
    for silent in (Heartbeat.objects.filter(at__gt=soon), CanaryRun.objects.filter(at__gt=soon)):
        changed += silent.delete()[0]
    return changed


def _bounds(now: datetime) -> list[Bound]:
    """Return rows, a field, the latest value it can have, and the value it gets instead."""
    soon = now + SKEW
    waiting = now + timedelta(hours=2)  # the longest wait for a next try is one hour and a half
    upload = now + settings.ATTEMPT_LIFETIME + timedelta(hours=1)
    kept = now + settings.GRACE + timedelta(days=1)
    work = Replica.objects.waiting()
    stored = Replica.objects.stored()
    open_ones = Attempt.objects.filter(state__in=[Attempt.State.WRITING, Attempt.State.DOOMED])
    aside = Attempt.objects.filter(state=Attempt.State.QUARANTINED)
    return [
        (work, "lease_until", soon + settings.LEASE, now),
        (work, "next_attempt_at", waiting, now),
        (work, "since", soon, now),
        (work, "parked_at", soon, now),
        (stored, "verified_at", soon, None),  # to be read back soon
        (stored.filter(verified_at=None), "stored_at", soon, now),
        (open_ones, "due_at", upload, upload),
        (aside, "due_at", kept, kept),
        (Refill.objects.all(), "ended_at", soon, now - timedelta(days=1)),
        (Survey.objects.all(), "ended_at", soon, None),
        (Runner.objects.all(), "until", soon + single_runner.LEASE, None),
        (Alarm.objects.all(), "since", soon, now),
        (Alarm.objects.all(), "mailed_at", soon, None),
        (LossNotice.objects.all(), "mailed_at", soon, None),
        (Channel.objects.all(), "worked_at", soon, None),
        (Channel.objects.all(), "failed_at", soon, now),
        (Region.objects.all(), "away_since", soon, now),
        (Region.objects.all(), "full_since", soon, now),
        (Region.objects.all(), "trusted_from", soon, now),
        (Region.objects.all(), "created_at", soon, now),
        (Vault.objects.all(), "last_snapshot_at", soon, now),
        (Lock.objects.all(), "created_at", soon, now),
        (EndedLock.objects.all(), "ended_at", soon, now),
        (Credential.objects.all(), "setup_until", soon + settings.SETUP_RIGHT, now),
    ]


def _change(rows: QuerySet[Any], **fields: Any) -> int:
    """Change rows, a page at a time; return how many."""
    model: type[Model] = rows.model
    changed, page = 0, [0] * PAGE
    while len(page) == PAGE:
        with _held(rows, fields) as page:
            changed += model._default_manager.filter(pk__in=page).update(**fields)
    return changed


@contextmanager
def _held(rows: QuerySet[Any], fields: Collection[str]) -> Iterator[list[Any]]:
    """Lock a page of rows; of replicas, count them anew where that depends on the fields."""
    if rows.model is Replica and COUNTED & set(fields):
        with tally.changing_replicas(rows, most=PAGE) as page:
            yield page
        return
    with transaction.atomic():
        yield lock_order.lock(rows, most=PAGE)
