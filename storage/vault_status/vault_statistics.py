"""Queries statistics of many vaults at a time."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.db.models import Count, Min, Q, Sum

from storage.models import Replica, StoredObject, Vault
from storage.vault_status.protection import VaultFigures


def figures_of(vaults: list[Vault]) -> dict[int, VaultFigures]:
    """Return each vault's figures by its primary key: two queries, however many there are."""
    figures = {
        vault.pk: VaultFigures(
            last_backup=vault.last_snapshot_at,
            unread=vault.last_unread,
            refused_at=vault.refused_at,
            refused_text=vault.refused_text,
            wiped_at=vault.wiped_at,
            kept_until=vault.kept_until,
            interval=vault.interval,
            is_retired=vault.device is not None and vault.device.retired_at is not None,
        )
        for vault in vaults
    }
    for row in _by_number_of_copies(vaults):
        figures[row["vault"]] = _with(figures[row["vault"]], row)
    for row in _waiting(vaults):
        pk = row["object__vault"]
        figures[pk] = replace(
            figures[pk],
            waiting=row["waiting"],
            parked=row["parked"],
            waiting_since=row["waiting_since"],
        )
    return figures


def _with(before: VaultFigures, row: Mapping[str, Any]) -> VaultFigures:
    """Add the objects of one number of copies."""
    count, good = row["count"], row["good"]
    is_lost = row["state"] == StoredObject.State.LOST
    return replace(
        before,
        objects=before.objects + count,
        snapshots=before.snapshots + (0 if is_lost else row["snapshots"]),
        bytes=before.bytes + row["bytes"],
        lost=before.lost + (count if is_lost else 0),
        thin=before.thin + (count if good < Replica.MIN_COPIES else 0),
        fewest_copies=min(before.fewest_copies, good) if before.objects else good,
    )


def _by_number_of_copies(vaults: list[Vault]) -> Iterable[Mapping[str, Any]]:
    """Count each vault's objects by how many good copies they have that can be read."""
    stored = Replica.objects.readable()
    return (
        StoredObject.objects.current()
        .filter(vault__in=vaults)
        .annotate(good=stored.per_object())
        .order_by()
        .values("vault", "state", "good")
        .annotate(
            count=Count("pk"),
            bytes=Sum("size"),
            snapshots=Count("pk", filter=Q(type=StoredObject.Type.SNAPSHOT)),
        )
    )


def _waiting(vaults: list[Vault]) -> Iterable[Mapping[str, Any]]:
    return (
        Replica.objects.waiting()
        .filter(object__vault__in=vaults, object__state=StoredObject.State.LIVE)
        .order_by()
        .values("object__vault")
        .annotate(
            waiting=Count("pk"),
            parked=Count("parked_at"),
            waiting_since=Min("since"),
        )
    )
