"""Deletes a whole vault at its owner's wish, with the grace period to think better of it.

From the wish on nothing is added. Workers write the tombstone of everything in turns, so that its
room is free soon and the purge takes it 30 days later, as all that is removed; the vault is closed
once nothing of it is left. Until then it can be kept after all, and everything in it comes back
(`rewind/kept_vaults.py`).
"""

import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import SERVICE, Actor
from accounts.notifications.wording import iso
from backup_service import clock
from storage import wakeups
from storage.counters import tally
from storage.database import elapsed_time, lock_order
from storage.deletion import tombstones
from storage.deletion.vaults import VaultInUseError
from storage.events import notices
from storage.models import Credential, StoredObject, Undelete, Vault
from storage.object_names import ObjectType
from storage.vaults import credentials, locks, sequence

BATCH = 200  # objects
PAGE = 100  # vaults
OPENING = [ObjectType.CONFIG, ObjectType.KEY]


@transaction.atomic
def ask(vault: Vault, *, actor: Actor) -> None:
    """Have a vault deleted that was set up. Asking again changes nothing.

    Raises VaultInUseError while something is being brought back into it.
    """
    locked = sequence.lock(vault)
    if Undelete.objects.filter(vault=locked, ended_at=None).exists():
        raise VaultInUseError(
            gettext("Something is being brought back into this vault. Wait for it.")
        )
    now = max(clock.database_now(), locked.sequence_at)
    asked = Vault.objects.filter(pk=locked.pk, closed_at=None, deletion_asked_at=None)
    # What is removed for this comes later than the wish, so that its moment is before all of it.
    later = now + timedelta(microseconds=1)
    if not asked.update(deletion_asked_at=now, sequence_at=later, wiped_at=None):
        return
    vault.deletion_asked_at = now
    until = now + settings.GRACE
    audit.record(
        actor,
        "vault.ask-deletion",
        vault.public_id,
        account=vault.account,
        name=vault.name,
        until=iso(until),
    )
    notices.tell_of_deletion(vault, by=actor.label, at=now, until=until)
    wakeups.vault_deletions()


def remove_due(*, seconds: float) -> int:
    """Write tombstones in vaults that are to go, one batch of each in turn; return how many."""
    until, removed = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        came = 0
        for pk in due().order_by("deletion_asked_at", "pk").values_list("pk", flat=True)[:PAGE]:
            if time.monotonic() >= until:
                break
            came += _remove_some(pk)
        if not came:
            break
        removed += came
    return removed


def due() -> QuerySet[Vault]:
    """Return the vaults that are to go and still hold something."""
    held = StoredObject.objects.current().filter(vault=OuterRef("pk"))
    return _going().filter(Exists(held))


def _going() -> QuerySet[Vault]:
    return Vault.objects.filter(closed_at=None, deletion_asked_at__isnull=False)


@tally.counting()
def _remove_some(pk: int) -> int:
    """Remove the next objects of a vault, its config and keys first and all in one."""
    vault = sequence.lock(Vault.objects.get(pk=pk))
    if vault.deletion_asked_at is None:
        return 0  # it is kept
    held = StoredObject.objects.current().filter(vault=vault)
    opening = held.filter(type__in=OPENING)
    locked = lock_order.lock(opening) or lock_order.lock(held, most=BATCH)
    for one in StoredObject.objects.filter(pk__in=locked).order_by("pk"):
        tombstones.tombstone(vault, one, by=None)
    return len(locked)


def close_ended() -> int:
    """Close the vaults whose time is over and of which nothing is left; return how many."""
    left = StoredObject.objects.filter(vault=OuterRef("pk"))
    over = _going().filter(~Exists(left), deletion_asked_at__lte=elapsed_time.grace_began_before())
    return sum(_close(vault) for vault in over.select_related("account").order_by("pk")[:PAGE])


@transaction.atomic
def _close(vault: Vault) -> bool:
    locked = sequence.lock(vault)
    if locked.deletion_asked_at is None or locked.closed_at is not None:
        return False
    locks.drop_all(locked)
    in_use = Credential.objects.filter(vault=locked, revoked_at=None).order_by("pk")
    for credential in in_use.select_related("vault__account"):
        credentials.revoke(credential, actor=SERVICE)
    name, subject = vault.name, vault.public_id
    Vault.objects.filter(pk=locked.pk).update(closed_at=clock.now(), name=f"({subject})")
    audit.record(SERVICE, "vault.deleted", subject, account=vault.account, name=name)
    return True
