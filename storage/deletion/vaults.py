"""Deletes a vault that was never used, or takes lost objects off a vault's list."""

from django.db.models import Model
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import Actor
from backup_service import clock
from storage.counters import tally
from storage.database import lock_order
from storage.deletion import tombstones
from storage.models import (
    Attempt,
    Credential,
    DeviceAuthorization,
    EndedLock,
    JournalEntry,
    LossNotice,
    StoredObject,
    Undelete,
    Vault,
    VaultEvent,
)
from storage.object_names import ObjectType
from storage.vaults import credentials, locks, sequence

REPLACEABLE = [ObjectType.DATA, ObjectType.INDEX, ObjectType.SNAPSHOT]
MOST_GIVEN_UP = 500  # objects at a time: the vault is locked meanwhile


_REFERRING: tuple[type[Model], ...] = (
    Attempt,
    DeviceAuthorization,
    JournalEntry,
    LossNotice,
    StoredObject,
    Undelete,
)


class VaultInUseError(Exception):
    """Raised for a vault that was set up: backups may be in it. The text is for customers."""


@tally.counting()
def delete_vault(vault: Vault, *, actor: Actor) -> None:
    """Delete a vault that was never set up, with its credentials. Raises VaultInUseError.

    What a broken set-up left in it is kept for the grace period, as all that is removed.
    """
    locked = sequence.lock(vault)
    if not locked.is_new:
        raise VaultInUseError(gettext("This vault has been set up, and backups may be in it."))
    tombstones.clear(locked)
    locks.drop_all(locked)
    in_use = Credential.objects.filter(vault=locked, revoked_at=None).order_by("pk")
    for credential in in_use.select_related("vault__account"):
        credentials.revoke(credential, actor=actor)
    account, subject, name = vault.account, vault.public_id, vault.name
    if _is_referred_to(locked):
        # The name is free again, and the row stays for those that refer to it.
        Vault.objects.filter(pk=locked.pk).update(closed_at=clock.now(), name=f"({subject})")
    else:
        EndedLock.objects.filter(vault=locked).delete()
        VaultEvent.objects.filter(vault=locked).delete()
        Credential.objects.filter(vault=locked).delete()
        Vault.objects.filter(pk=locked.pk).delete()
    audit.record(actor, "vault.delete", subject, account=account, name=name)


@tally.counting()
def give_up_lost(vault: Vault, *, actor: Actor) -> int:
    """Remove lost objects from a vault at its owner's request; return how many.

    It is MOST_GIVEN_UP at most, the oldest first. What a vault cannot be opened without, config
    and keys, stays on it.
    """
    locked = sequence.lock(vault)
    lost = StoredObject.objects.lost().filter(vault=locked, type__in=REPLACEABLE)
    held_now = lock_order.lock(lost, most=MOST_GIVEN_UP)
    given_up = list(lost.filter(pk__in=held_now).order_by("pk"))
    for obj in given_up:
        tombstones.tombstone(locked, obj, by=None)
    if given_up:
        account, subject = vault.account, vault.public_id
        audit.record(actor, "vault.give-up", subject, account=account, count=len(given_up))
    return len(given_up)


def _is_referred_to(vault: Vault) -> bool:
    return any(rows._default_manager.filter(vault=vault).exists() for rows in _REFERRING)
