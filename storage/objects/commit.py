"""What arrived in a region becomes objects: many uploads of one vault in one transaction."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet

from storage.database import bulk, lock_order
from storage.models import Attempt, Lifetime, Region, Replica, StoredObject, Vault
from storage.object_names import ObjectType
from storage.objects import replicas
from storage.uploads import ingest
from storage.vaults import quota, sequence
from storage.vaults.access import Access


def record(access: Access, arrived: Sequence[Attempt]) -> set[str]:
    """Make objects, copies or revivals of attempts whose bytes were seen to be right.

    Returns the ids of those that were; the others had ended meanwhile. Every attempt is of the
    access's vault, is named by its bytes' hash, and has its size. Raises a RefusedError where the
    access ended or does not allow it any more.
    """
    return _record(access, arrived) if arrived else set()


@transaction.atomic
def _record(access: Access, arrived: Sequence[Attempt]) -> set[str]:
    vault = sequence.lock(access.vault)
    access = access.renewed()  # what allowed it at its beginning may have ended meanwhile
    for kind in {attempt.type for attempt in arrived}:
        access.require_create(ObjectType(kind))
    quota.require_within(access.vault.account, access.entitlements.quota)
    won = _win(arrived)
    held = _named(vault, won).select_for_update(no_key=True).order_by("pk")
    existing = {(one.type, one.name): one for one in held}
    fresh = {(one.type, one.name): one for one in won if (one.type, one.name) not in existing}
    # Its copies are changed one object after the other, so they are locked before, all at once.
    lock_order.hold(Replica.objects.filter(object__in=[one.pk for one in existing.values()]))
    _create(access, vault, list(fresh.values()))
    for attempt in won:
        if fresh.get((attempt.type, attempt.name)) is not attempt:
            # One that came twice in this batch was made just now.
            there = existing.get((attempt.type, attempt.name)) or _named(vault, [attempt]).get()
            ingest.join(access, vault, there, attempt)
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


def _create(access: Access, vault: Vault, attempts: Sequence[Attempt]) -> None:
    if not attempts:
        return
    steps = sequence.ticks(vault, len(attempts))
    names = [attempt.name for attempt in attempts]
    numbered = bulk.insert(
        StoredObject,
        {"vault_id": vault.pk, "created_by_id": access.credential.pk},
        {
            "type": [attempt.type for attempt in attempts],
            "name": names,
            "size": [attempt.size or 0 for attempt in attempts],
            "sha256": names,
            "sequence": [step.number for step in steps],
            "created_at": [step.at for step in steps],
        },
        returning=["sequence", "id"],
    )
    keys = dict(numbered)
    created = [replicas.Numbered(keys[step.number], step.number) for step in steps]
    bulk.insert(
        Lifetime,
        {},
        {
            "object_id": [one.pk for one in created],
            "from_sequence": [step.number for step in steps],
            "from_at": [step.at for step in steps],
        },
    )
    replicas.place(
        created,
        attempts,
        promised=access.entitlements.copies,
        continent=access.vault.account.continent,
    )
    live = sum(quota.cost(attempt.size or 0) for attempt in attempts)
    quota.settle_all([attempt.pk for attempt in attempts], live=live)


def _named(vault: Vault, attempts: Sequence[Attempt]) -> QuerySet[StoredObject]:
    """The vault's objects that have these names, of the attempts' types, which an index finds."""
    return StoredObject.objects.filter(
        vault=vault,
        type__in={attempt.type for attempt in attempts},
        name__in=[attempt.name for attempt in attempts],
    )
