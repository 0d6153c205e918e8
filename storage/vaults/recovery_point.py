"""Computes a vault's recovery point: what it would fall back to if a region were lost now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from storage.models import Replica, StoredObject, Vault

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
    behind = _under_replicated(vault)
    first = behind.order_by("sequence").values_list("sequence", "created_at").first()
    if first is None:
        return RecoveryPoint(vault.sequence, vault.sequence_at, 0)
    sequence, created_at = first
    return RecoveryPoint(sequence - 1, created_at, behind.count())


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
        "objects_lost": StoredObject.objects.lost().filter(vault=vault).count(),
    }


def lost_of(vault: Vault) -> "Lost":
    """Return the vault's lost objects."""
    found = StoredObject.objects.lost().filter(vault=vault)
    names = [str(obj.object_name) for obj in found.order_by("pk")[:SHOWN]]
    return Lost(found.count() if names else 0, names)


@dataclass(frozen=True)
class Lost:
    """How many objects are lost, and the names of the first of them."""

    count: int
    names: list[str]

    @property
    def unnamed(self) -> int:
        """How many are not named."""
        return self.count - len(self.names)
