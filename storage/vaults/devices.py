"""Retires a device: its credentials end with it, its vaults and backups stay."""

from django.db import transaction

from accounts import actions
from accounts.audit import Actor
from accounts.models import Device
from storage.database import lock_order
from storage.models import Credential, Vault
from storage.vaults import credentials


@transaction.atomic
def retire_device(device: Device, *, actor: Actor) -> None:
    """Retire a device and revoke what it signs in with."""
    in_use = Credential.objects.filter(device=device, revoked_at=None)
    lock_order.lock(Vault.objects.filter(pk__in=in_use.values("vault")))
    lock_order.lock(in_use)
    for credential in in_use.select_related("vault__account"):
        credentials.revoke(credential, actor=actor)
    actions.retire_device(device, actor=actor)
