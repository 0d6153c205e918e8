"""Removes objects from their vaults: a DELETE only writes a tombstone.

The bytes stay for the grace period. After that the purge (`deletion/purge.py`) takes the object off
the rows, and the sweep (`deletion/sweep.py`) removes bytes that no row points to. Every step is on
record in the journal, and an upload of the same object at any moment brings it back.
"""

from storage.counters import tally
from storage.database import lock_order
from storage.errors import UnknownError
from storage.events import notices, removals
from storage.models import Credential, JournalEntry, StoredObject, Vault
from storage.object_names import ObjectName, ObjectType
from storage.vaults import index_freshness, lifetimes, locks, quota, sequence
from storage.vaults.access import Access


def remove(access: Access, name: ObjectName) -> None:
    """Remove an object from the vault; its bytes stay for the grace period.

    Removing it again is fine. Raises ForbiddenError, or UnknownError if it never was there.
    """
    access.require_remove(name.type)
    if name.type is ObjectType.LOCK:
        locks.remove(access, name)
        return
    with tally.counting():
        vault = sequence.lock(access.vault)
        obj = StoredObject.objects.named(vault, name).first()
        if obj is None:
            raise UnknownError(f"This vault has no object {name}.")
        if obj.state in StoredObject.CURRENT:
            tombstone(vault, obj, by=access.credential)


@tally.counting()
def clear(vault: Vault) -> None:
    """Remove everything from a vault whose row is locked; its bytes stay for the grace period."""
    objects = StoredObject.objects.current().filter(vault=vault)
    lock_order.lock(objects)
    for one in objects.order_by("pk"):
        tombstone(vault, one, by=None)


@tally.counting()
def clear_some(vault: Vault, *, most: int) -> int:
    """Remove up to so many objects from a vault; return how many there were."""
    locked = sequence.lock(vault)
    objects = StoredObject.objects.current().filter(vault=locked)
    page = lock_order.lock(objects, most=most)
    for one in StoredObject.objects.filter(pk__in=page).order_by("pk"):
        tombstone(locked, one, by=None)
    return len(page)


def tombstone(vault: Vault, obj: StoredObject, *, by: Credential | None) -> None:
    """Write an object's tombstone; its bytes stay for the grace period.

    The vault is locked. Call inside `tally.counting`.
    """
    step = sequence.tick(vault)
    StoredObject.objects.filter(pk=obj.pk).update(
        state=StoredObject.State.TOMBSTONED,
        tombstoned_at=step.at,
        tombstoned_by=by,
    )
    tally.state_changed(obj, before=obj.state)
    lifetimes.end(obj, step)
    JournalEntry.note(JournalEntry.Kind.TOMBSTONE, obj, sequence=step.number, by=by)
    cost = quota.cost(obj.size)
    quota.book(vault.account_id, live=-cost, tombstoned=cost)
    kind = ObjectType(obj.type)
    if by is not None:
        index_freshness.removed(by, kind, step.number)
    if kind in index_freshness.GUARDED:
        Vault.bump_epoch(vault.pk)
    if by is not None:
        removals.note(vault, obj, step, by)
    if by is not None and kind is ObjectType.KEY and vault.state != Vault.State.SETUP:
        notices.tell_of_key(vault, obj.name, credential=by.prefix, at=step.at, removed=True)


def discard_leftover_keys(access: Access) -> int:
    """Remove the keys of a set-up that was never completed with a config; return how many.

    Raises ForbiddenError unless the vault may still be set up.
    """
    access.require_setup_right()
    with tally.counting():
        vault = sequence.lock(access.vault)
        live = StoredObject.objects.live().filter(vault=vault)
        if live.filter(type=ObjectType.CONFIG).exists():
            return 0
        lock_order.lock(live.filter(type=ObjectType.KEY))
        keys = list(live.filter(type=ObjectType.KEY))
        for key in keys:
            tombstone(vault, key, by=access.credential)
    return len(keys)
