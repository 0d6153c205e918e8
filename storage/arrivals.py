"""What arrived in a region becomes objects: many uploads of one vault in one transaction."""

from collections.abc import Sequence

from django.db import transaction

from storage import copies, ingest, quota, row_locks, rows, sequence
from storage.access import Access
from storage.models import Attempt, Lifetime, Region, Replica, StoredObject, Vault


def record(access: Access, arrived: Sequence[Attempt]) -> set[str]:
    """Make objects, copies or revivals of attempts whose bytes were seen to be right.

    Returns the ids of those that were; the others had ended meanwhile. Every attempt is of the
    access's vault, is named by its bytes' hash, and has its size.
    """
    return _record(access, arrived) if arrived else set()


@transaction.atomic
def _record(access: Access, arrived: Sequence[Attempt]) -> set[str]:
    vault = sequence.lock(access.vault)
    won = _win(arrived)
    held = StoredObject.objects.select_for_update(no_key=True).filter(
        vault=vault, name__in=[attempt.name for attempt in won]
    )
    existing = {(one.type, one.name): one for one in held.order_by("pk")}
    fresh = {(one.type, one.name): one for one in won if (one.type, one.name) not in existing}
    # Its copies are changed one object after the other, so they are locked before, all at once.
    row_locks.hold(Replica.objects.filter(object__in=[one.pk for one in existing.values()]))
    existing |= _create(access, vault, list(fresh.values()))
    for attempt in won:
        if fresh.get((attempt.type, attempt.name)) is not attempt:
            ingest.join(access, vault, existing[attempt.type, attempt.name], attempt)
    return {attempt.pk for attempt in won}


def _win(arrived: Sequence[Attempt]) -> list[Attempt]:
    """Take the attempts out of the sweep's reach; return those that were not in it yet."""
    writing = Attempt.objects.select_for_update(no_key=True, of=("self",)).filter(
        pk__in=[attempt.pk for attempt in arrived],
        state=Attempt.State.WRITING,
        region__status__in=Region.READABLE,
    )
    still = set(writing.order_by("pk").values_list("pk", flat=True))
    Attempt.objects.filter(pk__in=still).update(state=Attempt.State.STORED)
    return [attempt for attempt in arrived if attempt.pk in still]


def _create(
    access: Access, vault: Vault, attempts: Sequence[Attempt]
) -> dict[tuple[str, str], StoredObject]:
    if not attempts:
        return {}
    steps = sequence.ticks(vault, len(attempts))
    created = StoredObject.objects.bulk_create(
        StoredObject(
            vault=vault,
            type=attempt.type,
            name=attempt.name,
            size=attempt.size or 0,
            sha256=attempt.name,
            sequence=step.number,
            created_at=step.at,
            created_by=access.credential,
        )
        for attempt, step in zip(attempts, steps, strict=True)
    )
    rows.insert(
        Lifetime,
        {},
        {
            "object_id": [one.pk for one in created],
            "from_sequence": [one.sequence for one in created],
            "from_at": [one.created_at for one in created],
        },
    )
    copies.place(
        created,
        attempts,
        promised=access.entitlements.copies,
        continent=access.vault.account.continent,
    )
    quota.settle_all(attempts, live=sum(one.size for one in created))
    return {(one.type, one.name): one for one in created}
