"""Says which computer a vault is of: one takes it over, another one is retired.

A credential ends with the computer that it was made for. Those of other computers, those that
only restore, and those that somebody made by hand belong to no computer and stay.
"""

from django.db import transaction
from django.db.models import QuerySet

from accounts import actions, audit
from accounts.actions import DeviceNameTakenError
from accounts.audit import Actor
from accounts.models import Account, Device
from backup_service import clock
from storage.database import lock_order
from storage.models import Credential, Vault
from storage.vaults import credentials
from storage.vaults.enrolment import require_computer_room


def ending_with(device: Device) -> QuerySet[Credential]:
    """Return the credentials in use that end when a device is retired."""
    mine = Credential.objects.in_use(clock.now()).filter(device=device)
    return mine.select_related("vault").order_by("vault", "pk")


def staying_after(device: Device) -> QuerySet[Credential]:
    """Return the credentials in use of a device's vaults that its retirement does not end."""
    in_use = Credential.objects.in_use(clock.now()).filter(vault__device=device)
    return in_use.exclude(device=device).select_related("vault").order_by("vault", "pk")


def device_for(vault: Vault, scope: str) -> Device | None:
    """Return the device that a credential of `scope` made by hand is for.

    The vault's own as long as nobody has set the vault up, since whoever does is that computer.
    """
    may_set_up = vault.is_new and scope != Credential.Scope.RESTORE
    return vault.device if may_set_up and not lacks_computer(vault) else None


def lacks_computer(vault: Vault) -> bool:
    """Return whether a vault is of no computer in use."""
    return vault.device is None or vault.device.retired_at is not None


@transaction.atomic
def take_over(vault: Vault, *, name: str, actor: Actor) -> None:
    """Make the computer called `name` that of a vault, unless one in use is.

    It stays with the member whose the former one was, and counts against the plan. Raises
    DeviceNameTakenError for the name of somebody else's computer, or a LimitError.
    """
    account = Account.objects.select_for_update(no_key=True).get(pk=vault.account_id)
    vault.refresh_from_db(fields=["device"])
    if not lacks_computer(vault):  # somebody else was first
        return
    former = vault.device
    device = account.devices.filter(name=name, retired_at=None).first()
    if device is None:
        require_computer_room(account)
        device = actions.add_device(account, name=name, actor=actor)
        if former is not None:
            Device.objects.filter(pk=device.pk).update(member=former.member_id)
    elif former is not None and former.member_id != device.member_id:
        raise DeviceNameTakenError(name)
    Vault.objects.filter(pk=vault.pk).update(device=device)
    vault.device = device
    audit.record(
        actor,
        "vault.take-over",
        vault.public_id,
        account=account,
        name=vault.name,
        computer=name,
    )


@transaction.atomic
def retire_device(device: Device, *, actor: Actor) -> None:
    """Retire a device and revoke the credentials that were made for it; its vaults stay."""
    in_use = Credential.objects.filter(device=device, revoked_at=None)
    lock_order.lock(Vault.objects.filter(pk__in=in_use.values("vault")))
    lock_order.lock(in_use)
    for credential in in_use.select_related("vault__account"):
        credentials.revoke(credential, actor=actor)
    actions.retire_device(device, actor=actor)
