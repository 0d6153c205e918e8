"""Keeps a vault whose deletion was asked for: everything comes back as it was at the wish."""

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import Actor
from backup_service import clock
from storage.models import StoredObject, Undelete, Vault
from storage.rewind import requests
from storage.rewind.requests import UndeleteError, Wanted
from storage.vaults import sequence


@transaction.atomic
def keep(vault: Vault, *, actor: Actor) -> Undelete | None:
    """Take the wish back; return what brings back what was removed for it, if anything was.

    Raises UndeleteError once the grace period is over.
    """
    locked = sequence.lock(vault)
    asked = locked.deletion_asked_at
    if asked is None or locked.closed_at is not None:
        return None
    if asked <= clock.database_now() - settings.GRACE:
        raise UndeleteError(gettext("It is too late: the time to keep this vault is over."))
    Vault.objects.filter(pk=locked.pk).update(deletion_asked_at=None)
    vault.deletion_asked_at = None
    audit.record(actor, "vault.keep", vault.public_id, account=vault.account, name=vault.name)
    gone = StoredObject.objects.filter(vault=locked, state=StoredObject.State.TOMBSTONED)
    if not gone.filter(tombstoned_at__gt=asked).exists():
        return None
    return requests.request(vault, Wanted(moment=asked), actor=actor)
