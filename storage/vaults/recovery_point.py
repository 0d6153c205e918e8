"""Computes a vault's recovery point: what it would fall back to if a region were lost now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from storage.counters import figures
from storage.models import Region, Replica, StoredObject, Vault

LOST = StoredObject.State.LOST
SHOWN = 20  # names of lost objects


@dataclass(frozen=True)
class RecoveryPoint:
    """Up to number `sequence` of the vault's count everything has its verified replicas.

    That was the vault's whole state until `at`. `behind` objects came at or after that moment
    and have too few replicas; with none behind, the recovery point is now.
    """

    sequence: int
    at: datetime
    behind: int

    @property
    def is_now(self) -> bool:
        """Whether the loss of a region would cost nothing at all."""
        return self.behind == 0


def recovery_point(vault: Vault) -> RecoveryPoint:
    """Return the newest moment of a vault up to which every object has its verified replicas.

    A replica counts once its bytes were hashed where they lie, or on their way to where they were
    acknowledged. Replicas are made in the order of commits, so the moment moves on by itself; a
    lost object holds it back until its bytes are sent again.
    """
    vault = Vault.objects.get(pk=vault.pk)  # read first: what comes meanwhile is behind, not safe
    if behind := _count_behind(vault):  # from counters: in most vaults there is nothing to look for
        found = _under_replicated(vault).order_by("sequence")
        first = found.values_list("sequence", "created_at").first()
        if first is not None:
            return RecoveryPoint(first[0] - 1, first[1], behind)
    return RecoveryPoint(vault.sequence, vault.sequence_at, 0)


def _count_behind(vault: Vault) -> int:
    """Return how many objects of the vault have too few replicas."""
    regions = set(Region.objects.filter(status__in=Region.COUNTED).values_list("pk", flat=True))
    return sum(
        count.objects
        for count in figures.of_vaults([vault.pk], states=[*StoredObject.KEPT, LOST])
        if sum(copy.is_there and copy.region in regions for copy in count.copies)
        < Replica.MIN_COPIES
    )


def _under_replicated(vault: Vault) -> QuerySet[StoredObject]:
    """Return the vault's objects that have too few replicas."""
    kept = (StoredObject.objects.kept() | StoredObject.objects.lost()).filter(vault=vault)
    return kept.annotate(good=Replica.objects.counted().per_object()).filter(
        good__lt=Replica.MIN_COPIES
    )


def status_of(vault: Vault) -> dict[str, Any]:
    """Return a vault's recovery point and losses, for operators."""
    point = recovery_point(vault)
    return {
        "recovery_point": point.at,
        "recovery_sequence": point.sequence,
        "is_now": point.is_now,
        "objects_behind": point.behind,
        "objects_lost": _count_lost(vault),
    }


def lost_of(vault: Vault) -> "Lost":
    """Return the vault's lost objects."""
    count = _count_lost(vault)
    if not count:
        return Lost(0, [])
    found = StoredObject.objects.lost().filter(vault=vault)
    return Lost(count, [str(obj.object_name) for obj in found.order_by("pk")[:SHOWN]])


def _count_lost(vault: Vault) -> int:
    return sum(count.objects for count in figures.of_vaults([vault.pk], states=[LOST]))


@dataclass(frozen=True)
class Lost:
    """How many objects are lost, and the names of the first of them."""

    count: int
    names: list[str]

    @property
    def unnamed(self) -> int:
        """How many are not named."""
        return self.count - len(self.names)
