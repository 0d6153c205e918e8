"""Locks a vault up for good: ends every way into it, and destroys what it is opened with.

Without its keys nobody can read what is left of it, so they go first. The journal says so in every
region, so that a database restored from an older copy does not bring them back.
"""

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.audit import SERVICE
from backup_service import clock
from storage.counters import tally
from storage.deletion import purge, tombstones
from storage.models import Credential, JournalEntry, StoredObject, Undelete, Vault
from storage.object_names import ObjectType
from storage.vaults import credentials, locks, sequence

OPENERS = (ObjectType.KEY, ObjectType.CONFIG)


def vaults_to_lock_up(account: int) -> QuerySet[Vault]:
    """Return an account's vaults that somebody could still get into."""
    of_vault = {"vault": OuterRef("pk")}
    ways_in = (
        Exists(StoredObject.objects.filter(**of_vault, type__in=OPENERS))
        | Exists(Credential.objects.filter(**of_vault, revoked_at=None))
        | Exists(Undelete.objects.filter(**of_vault, ended_at=None))
    )
    return Vault.objects.filter(Q(ways_in), account=account).order_by("pk")


@transaction.atomic
def lock_up(vault: Vault) -> None:
    """Revoke a vault's credentials, end what is being brought back, drop its locks."""
    locked = sequence.lock(vault)
    in_use = Credential.objects.filter(vault=locked, revoked_at=None).order_by("pk")
    for credential in in_use.select_related("vault__account"):
        credentials.revoke(credential, actor=SERVICE)
    Undelete.objects.filter(vault=locked, ended_at=None).update(ended_at=clock.now())
    locks.drop_all(locked)


def destroy(vault: Vault) -> None:
    """Destroy a vault's keys and config, those that were removed before too."""
    openers = StoredObject.objects.filter(vault=vault, type__in=OPENERS)
    for pk in openers.order_by("pk").values_list("pk", flat=True):
        _remove(vault, pk)
        purge.begin(pk, clock.database_now() + purge.AHEAD)
        purge.finish(pk)


@tally.counting()
def _remove(vault: Vault, pk: int) -> None:
    """Write the tombstone of one, and in the journal that it is destroyed, before its purge."""
    locked = sequence.lock(vault)
    obj = StoredObject.objects.filter(pk=pk).exclude(state=StoredObject.State.PURGING).first()
    if obj is None:
        return  # somebody else is at it
    if obj.state in StoredObject.CURRENT:
        tombstones.tombstone(locked, obj, by=None)
    number = sequence.tick(locked).number
    JournalEntry.note(JournalEntry.Kind.KEYS_DESTROYED, obj, sequence=number)
