"""Reads statistics of many vaults at a time, from what was counted beforehand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from storage.counters import figures as counted
from storage.counters.figures import Count
from storage.models import Region, Replica, StoredObject, Vault
from storage.vault_status.protection import VaultFigures
from storage.vaults.expectations import expected

_SHOWN = (*StoredObject.CURRENT, StoredObject.State.TOMBSTONED)


def figures_of(vaults: list[Vault]) -> dict[int, VaultFigures]:
    """Return each vault's figures by its primary key: three queries, however many there are."""
    read = set(Region.objects.filter(status__in=Region.READABLE).values_list("pk", flat=True))
    counts: dict[int, list[Count]] = {vault.pk: [] for vault in vaults}
    for count in counted.of_vaults([*counts], states=_SHOWN):
        counts[count.vault].append(count)
    retired = _retired(vaults)
    return {
        vault.pk: _with(_of(vault, is_retired=vault.pk in retired), counts[vault.pk], read)
        for vault in vaults
    }


def _retired(vaults: list[Vault]) -> set[int]:
    """Return the vaults, by primary key, whose computer is retired and with which none goes on."""
    former = {one.pk for one in vaults if one.device and one.device.retired_at is not None}
    if not former:
        return former
    going_on = expected(Vault.objects.filter(pk__in=former))
    return former - set(going_on.values_list("pk", flat=True))


def _of(vault: Vault, *, is_retired: bool) -> VaultFigures:
    """Return what the vault's own row tells."""
    return VaultFigures(
        last_backup=vault.last_snapshot_at,
        unread=vault.last_unread,
        refused_at=vault.refused_at,
        refused_text=vault.refused_text,
        wiped_at=vault.wiped_at,
        kept_until=vault.kept_until,
        interval=vault.interval,
        is_retired=is_retired,
        is_closed=vault.account.is_closed,
    )


def _with(before: VaultFigures, counts: Sequence[Count], read: set[int]) -> VaultFigures:
    """Add what a vault's objects come to; copies are good where they can be read."""
    current = [one for one in counts if one.state in StoredObject.CURRENT]
    live = [one for one in current if one.state == StoredObject.State.LIVE]
    objects = sum(one.objects for one in current)
    by_copies = Counter[int]()
    for one in current:
        by_copies[sum(copy.is_there and copy.region in read for copy in one.copies)] += one.objects
    return replace(
        _with_waiting(before, live),
        objects=objects,
        snapshots=sum(one.snapshots for one in live),
        bytes=sum(one.bytes for one in current),
        kept_bytes=sum(one.bytes for one in counts if one not in current),
        lost=objects - sum(one.objects for one in live),
        thin=sum(found for good, found in by_copies.items() if good < Replica.MIN_COPIES),
        fewest_copies=min(by_copies, default=0),
    )


def _with_waiting(before: VaultFigures, live: Sequence[Count]) -> VaultFigures:
    """Add the copies of live objects that are still to be made."""
    waiting = [(copy, one.objects) for one in live for copy in one.copies if not copy.is_there]
    return replace(
        before,
        waiting=sum(objects for _, objects in waiting),
        parked=sum(objects for copy, objects in waiting if copy.is_parked),
        waiting_since=counted.earliest(*(copy.since for copy, _ in waiting)),
    )
