"""Changes the state of replicas."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import models, transaction

from backup_service import clock
from storage.counters import situation, tally
from storage.database import bulk, lock_order
from storage.models import Attempt, Region, Replica, StoredObject
from storage.objects import placement

# A doomed attempt's bytes are removed only when its writer must have ended.
DOOM_DELAY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Numbered:
    """An object's primary key and sequence, which its replicas' rows need, and what it counts."""

    pk: int
    sequence: int
    type: str
    size: int


def place(
    vault: int,
    created: Sequence[Numbered],
    attempts: Sequence[Attempt],
    *,
    promised: int,
    continent: str = "",
) -> None:
    """Insert the replica that each new object has, and the further ones that the plan promises.

    The objects are of one vault, by primary key. Call inside `tally.counting`.
    """
    by_home: dict[int, tuple[Region, list[tuple[Numbered, Attempt]]]] = {}
    for obj, attempt in zip(created, attempts, strict=True):
        by_home.setdefault(attempt.region_id, (attempt.region, []))[1].append((obj, attempt))
    for home, pairs in by_home.values():
        objects = {
            "object_id": [obj.pk for obj, _ in pairs],
            "sequence": [obj.sequence for obj, _ in pairs],
        }
        now = clock.now()
        bulk.insert(
            Replica,
            {"region_id": home.pk, "state": Replica.State.STORED, "stored_at": now},
            objects | {"attempt_id": [attempt.pk for _, attempt in pairs]},
        )
        copies = [situation.spell(home.pk, Replica.State.STORED, now)]
        for region in placement.companions(home, promised, continent=continent):
            bulk.insert(Replica, {"region_id": region.pk, "since": now}, objects)
            copies.append(situation.spell(region.pk, Replica.State.PENDING, now))
        some = tally.total([obj.type for obj, _ in pairs], [obj.size for obj, _ in pairs])
        tally.move(vault, some, before="", after=situation.join(copies))


def add(obj: StoredObject, attempt: Attempt) -> bool:
    """Make an attempt the region's replica, unless a good one is there already.

    Return whether it became the replica.
    """
    replica, _ = Replica.objects.get_or_create(
        object=obj, region=attempt.region, defaults={"sequence": obj.sequence}
    )
    if replica.state == Replica.State.STORED:
        doom(Attempt.objects.filter(pk=attempt.pk))
        return False
    if replica.attempt_id is not None:
        quarantine(replica.attempt_id)
    mark_stored(replica, attempt)
    return True


def mark_stored(replica: Replica, attempt: Attempt, *, verified: bool = False) -> None:
    """Record that a replica's bytes are durable under `attempt`."""
    now = clock.now()
    Replica.objects.filter(pk=replica.pk).update(
        attempt=attempt,
        state=Replica.State.STORED,
        stored_at=now,
        verified_at=now if verified else None,
        lease_token="",
        lease_until=None,
        tries=0,
        parked_at=None,
        last_error="",
    )


def ensure(obj: StoredObject, home: Region, copies: int, *, continent: str = "") -> None:
    """Queue the further replicas that the plan promises."""
    holding = set(obj.replicas.values_list("region", flat=True))
    for region in placement.companions(home, copies, holding=holding, continent=continent):
        Replica.objects.get_or_create(
            object=obj, region=region, defaults={"sequence": obj.sequence}
        )


@transaction.atomic
def doom(attempts: models.QuerySet[Attempt]) -> int:
    """Give attempts' bytes to the sweep; no row may point to them any more."""
    return Attempt.objects.filter(pk__in=lock_order.lock(attempts)).update(
        state=Attempt.State.DOOMED, due_at=clock.now() + DOOM_DELAY
    )


def quarantine(attempt_id: str) -> None:
    """Keep an attempt's damaged bytes aside for the grace; they are never overwritten."""
    Replica.objects.filter(attempt_id=attempt_id).update(attempt=None, state=Replica.State.PENDING)
    Attempt.objects.filter(pk=attempt_id).update(
        state=Attempt.State.QUARANTINED, due_at=clock.now() + settings.GRACE
    )
