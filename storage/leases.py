"""Work on copies: claimed in a short transaction, done outside any, finished if still held."""

import random
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from backup_service import clock
from storage.models import Region, Replica, StoredObject
from storage.regions import configured

WORK = [Replica.State.PENDING, Replica.State.CORRUPT, Replica.State.MISSING]
MOST_TRIES = 12
FIRST_WAIT = 2.0  # seconds
LONGEST_WAIT = 3600.0


@dataclass(frozen=True)
class Claim:
    """Replicas that this worker holds until the lease ends."""

    token: str
    replicas: list[Replica]


def due() -> QuerySet[Replica]:
    """Return the copies that somebody could make now, in the order of their vaults' commits."""
    now = clock.now()
    return (
        Replica.objects.filter(
            Q(lease_until=None) | Q(lease_until__lt=now),
            state__in=WORK,
            parked_at=None,
            next_attempt_at__lte=now,
            region__status=Region.Status.ACTIVE,
            region__alias__in=configured(),
        )
        .exclude(object__state__in=[StoredObject.State.PURGING, StoredObject.State.LOST])
        .order_by("sequence", "pk")
    )


@transaction.atomic
def claim(limit: int) -> Claim:
    """Take up to `limit` due copies; nobody else gets them until the lease ends."""
    token = uuid.uuid4().hex
    chosen = list(
        due()
        .select_for_update(skip_locked=True, no_key=True, of=("self",))
        .values_list("pk", flat=True)[:limit]
    )
    Replica.objects.filter(pk__in=chosen).update(
        lease_token=token, lease_until=clock.now() + settings.LEASE
    )
    replicas = Replica.objects.filter(pk__in=chosen).select_related("object__vault", "region")
    return Claim(token, list(replicas.order_by("sequence", "pk")))


def held(replica: Replica, token: str) -> QuerySet[Replica]:
    """Return the replica's row if this lease still holds it: the condition of every finish."""
    return Replica.objects.filter(pk=replica.pk, lease_token=token, state__in=WORK)


def put_off(replica: Replica, token: str, reason: str) -> None:
    """Give a copy back after a failure, to be tried later; park it after too many."""
    tries = replica.tries + 1
    wait = min(FIRST_WAIT * 2**tries, LONGEST_WAIT) * random.uniform(0.5, 1.5)  # noqa: S311
    now = clock.now()
    held(replica, token).update(
        tries=tries,
        next_attempt_at=now + timedelta(seconds=wait),
        parked_at=now if tries >= MOST_TRIES else None,
        lease_token="",
        lease_until=None,
        last_error=reason[:300],
    )


def unpark() -> int:
    """Put every parked copy back on the work list; return how many."""
    return Replica.objects.exclude(parked_at=None).update(
        parked_at=None, tries=0, next_attempt_at=clock.now()
    )
