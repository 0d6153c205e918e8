"""Brings a database that was restored from an older copy up to date, from the regions.

The journal's notes tell what was brought back or purged since. Bytes that no row knows are hashed,
and become the object that they are; so do those of uploads that the older copy thinks are still
under way. Everything that waits for the end of its grace waits for a whole one again. Whatever is
in doubt is kept: nothing is removed here.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from backup_service import clock
from storage.counters import tally
from storage.database import lock_order
from storage.deletion import tombstones
from storage.deletion.journal import Entry, last_words
from storage.models import Attempt, JournalEntry, Region, Replica, StoredObject, Vault
from storage.object_names import ObjectType, StoreKey
from storage.objects import replicas
from storage.objects.commit import Arrival, create
from storage.objects.verify import StoredBytes, verify
from storage.stores.base import RegionError, RegionStore
from storage.vaults import lifetimes, quota, sequence

log = logging.getLogger(__name__)
EPOCHS = 1000  # by which vaults' epochs grow: whatever agents have cached is stale
Kind = JournalEntry.Kind


@dataclass
class Recovered:
    """What was recovered, in objects."""

    brought_back: int = 0
    adopted: int = 0


class CatalogueRecovery:
    """One recovery: `begin`, then `adopt` for every unknown key of a region, then `end`."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.result = Recovered()
        self._entries = list(entries)
        self._last = last_words(self._entries)

    def begin(self) -> None:
        """Apply the journal's entries, and restart every grace period."""
        self._take_over()
        for key, entry in self._last.items():
            if entry.kind == Kind.UNDELETE:
                self.result.brought_back += _bring_back(*key)
        waiting = StoredObject.objects.filter(state=StoredObject.State.TOMBSTONED)
        waiting.update(tombstoned_at=clock.database_now())
        Vault.objects.update(epoch=F("epoch") + EPOCHS)

    def adopt(self, region: Region, store: RegionStore, key: StoreKey, size: int) -> bool:
        """Adopt bytes that no row knows, as an object or a replica; return whether one has now."""
        attempt = Attempt.objects.filter(pk=key.attempt).first()
        if attempt is not None and attempt.state != Attempt.State.WRITING:
            return True
        if not Vault.objects.filter(public_id=key.vault).exists():
            return False
        sha256 = _hash(store, key, size)
        if sha256 is None:
            return False
        adopted = self._adopt(region, key, size, sha256)
        self.result.adopted += adopted
        return adopted

    def end(self) -> None:
        """Mark objects that were purged as removed rather than lost."""
        purged = [key for key, entry in self._last.items() if entry.kind == Kind.PURGE]
        for vault, type_, name in purged:
            _mark_removed(vault, type_, name)

    @transaction.atomic
    def _take_over(self) -> None:
        """Copy the missed entries into this database; advance the vaults' sequences past them."""
        vaults = {vault.public_id: vault for vault in Vault.objects.order_by("pk")}
        for public_id in sorted({entry.vault for entry in self._entries} & vaults.keys()):
            vault = sequence.lock(vaults[public_id])
            missed = {entry for entry in self._entries if entry.vault == public_id}
            have = set(
                JournalEntry.objects.filter(vault=vault).values_list("kind", "name", "sequence")
            )
            JournalEntry.objects.bulk_create(
                JournalEntry(
                    kind=one.kind,
                    vault=vault,
                    type=one.type,
                    name=one.name,
                    sequence=one.sequence,
                    attempts=list(one.attempts),
                )
                for one in sorted(missed, key=lambda one: one.sequence)
                if (one.kind, one.name, one.sequence) not in have
            )
            newest = max(one.sequence for one in missed)
            Vault.objects.filter(pk=vault.pk, sequence__lt=newest).update(sequence=newest)

    @tally.counting()
    def _adopt(self, region: Region, key: StoreKey, size: int, sha256: str) -> bool:
        vault = sequence.lock(Vault.objects.get(public_id=key.vault))
        kind, name = key.object.type, key.object.name
        settled = Attempt.objects.filter(pk=key.attempt).exclude(state=Attempt.State.WRITING)
        if settled.exists():
            return False  # meanwhile, by somebody else
        obj = StoredObject.objects.named(vault, key.object).first()
        if obj is not None and (obj.sha256, obj.size) != (sha256, size):
            return False
        attempt, _ = Attempt.objects.get_or_create(
            pk=key.attempt,
            defaults={
                "vault": vault,
                "type": kind,
                "name": name,
                "region": region,
                "due_at": clock.now(),
            },
        )
        lock_order.lock(Attempt.objects.filter(pk=attempt.pk))
        Attempt.objects.filter(pk=attempt.pk).update(state=Attempt.State.STORED, size=size)
        quota.settle(attempt)
        is_new = obj is None
        if obj is None:
            obj = _create(vault, Arrival(attempt, size, sha256))
        lock_order.lock(StoredObject.objects.filter(pk=obj.pk))
        with tally.changing([obj.pk]):
            if obj.state in StoredObject.REMOVED:
                _revive(vault, obj)
            lost = StoredObject.objects.lost().filter(pk=obj.pk)
            lost.update(state=StoredObject.State.LIVE)
            if replicas.add(obj, attempt):
                Replica.objects.filter(object=obj, region=region).update(verified_at=clock.now())
        last = self._last.get((key.vault, kind.value, name))
        if is_new and last is not None and last.kind in (Kind.TOMBSTONE, Kind.PURGE):
            tombstones.tombstone(vault, obj, by=None)
        return True


def _hash(store: RegionStore, key: StoreKey, size: int) -> str | None:
    """Return the SHA-256 of bytes whose hash is what their name says, or None."""
    try:
        return verify(StoredBytes(store, key, size, key.object.expected_sha256))
    except RegionError as error:
        log.error("bytes that no row knows are left alone: %s in %s: %s", key, store.alias, error)
        return None


def _create(vault: Vault, arrival: Arrival) -> StoredObject:
    ((created, step),) = create(vault, [arrival], by=None)
    quota.book(vault.account_id, live=quota.cost(arrival.size))
    if arrival.attempt.type == ObjectType.SNAPSHOT:
        Vault.objects.filter(pk=vault.pk).update(last_snapshot_at=step.at, last_unread=None)
    return StoredObject.objects.get(pk=created.pk)


def _revive(vault: Vault, gone: StoredObject) -> None:
    lifetimes.revive(gone, vault, None)
    cost = quota.cost(gone.size)
    quota.book(vault.account_id, live=cost, tombstoned=-cost)


@tally.counting()
def _bring_back(public_id: str, type_: str, name: str) -> bool:
    """Revive an object that was revived after the copy was made."""
    vault = Vault.objects.filter(public_id=public_id).first()
    if vault is None:
        return False
    vault = sequence.lock(vault)
    gone = StoredObject.objects.removed().filter(vault=vault, type=type_, name=name)
    if not lock_order.lock(gone):
        return False
    back = gone.get()
    with tally.changing([back.pk]):
        _revive(vault, back)
    return True


@tally.counting()
def _mark_removed(public_id: str, type_: str, name: str) -> None:
    """Mark an object that was purged, and has no bytes, as removed instead of lost."""
    vault = Vault.objects.filter(public_id=public_id).first()
    if vault is None:
        return
    vault = sequence.lock(vault)
    lost = StoredObject.objects.lost().filter(vault=vault, type=type_, name=name)
    if lock_order.lock(lost):
        tombstones.tombstone(vault, lost.get(), by=None)
