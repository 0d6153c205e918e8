"""Changes people, accounts and devices: one function, one transaction, one audit row each."""

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.closed_accounts import require_open
from accounts.continents import Continent
from accounts.models import Account, Device, Membership, User
from backup_service import clock


class DeviceNameTakenError(Exception):
    """The account has a device of that name already."""


@transaction.atomic
def open_account(user: User, *, name: str = "", actor: Actor | None = None) -> Account:
    """Give `user` an account of their own, as its owner."""
    longest = Account._meta.get_field("name").max_length
    account = Account.objects.create(name=(name or user.get_short_name())[:longest])
    Membership.objects.create(account=account, user=user, role=Membership.Role.OWNER)
    audit.record(actor or Actor.person(user), "account.open", account.public_id, account=account)
    return account


@transaction.atomic
def add_device(account: Account, *, name: str, actor: Actor) -> Device:
    """Add a computer. Raises DeviceNameTakenError while another one in use has the name."""
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if account.devices.filter(name=name, retired_at=None).exists():
        raise DeviceNameTakenError(name)
    seats = Membership.objects.filter(account=account, user=actor.user)
    is_member = actor.kind in (actor.kind.PERSON, actor.kind.TOKEN)  # a token is a member's
    member = seats.first() if is_member else None
    device = Device.objects.create(account=account, name=name, member=member)
    audit.record(actor, "device.add", device.public_id, account=account, name=name)
    return device


@transaction.atomic
def rename_device(device: Device, *, name: str, actor: Actor) -> None:
    """Call a computer otherwise; its vaults keep their names.

    Raises DeviceNameTakenError while another one in use has the name.
    """
    Account.objects.select_for_update(no_key=True).get(pk=device.account_id)
    others = Device.objects.filter(account=device.account_id, name=name, retired_at=None)
    if others.exclude(pk=device.pk).exists():
        raise DeviceNameTakenError(name)
    before = device.name
    if Device.objects.filter(pk=device.pk).exclude(name=name).update(name=name):
        device.name = name
        audit.record(
            actor,
            "device.rename",
            device.public_id,
            account=device.account,
            name=name,
            before=before,
        )


@transaction.atomic
def retire_device(device: Device, *, actor: Actor) -> None:
    """Retire a computer; its vaults and their contents stay."""
    retired = Device.objects.filter(pk=device.pk, retired_at=None).update(retired_at=clock.now())
    if retired:
        audit.record(
            actor, "device.retire", device.public_id, account=device.account, name=device.name
        )


@transaction.atomic
def freeze_account(account: Account, *, actor: Actor, reason: str = "") -> bool:
    """Pause new backups of an active account; restores go on. Return whether it was active."""
    moved = _move(account, Account.State.ACTIVE, Account.State.FROZEN)
    if moved:
        _record(account, "account.freeze", actor, reason)
    return moved


@transaction.atomic
def unfreeze_account(account: Account, *, actor: Actor, reason: str = "") -> bool:
    """Let a frozen account store again. Return whether it was frozen."""
    moved = _move(account, Account.State.FROZEN, Account.State.ACTIVE)
    if moved:
        _record(account, "account.unfreeze", actor, reason)
    return moved


@transaction.atomic
def choose_continent(account: Account, *, continent: str, actor: Actor) -> bool:
    """Choose where new backups of an account live, "" for no wish. Return whether it changed.

    Raises ClosedAccountError, or ValueError for a continent that there is not.
    """
    wanted = Continent(continent).value if continent else ""
    require_open(account)
    changed = (
        Account.objects.filter(pk=account.pk).exclude(continent=wanted).update(continent=wanted)
    )
    if changed:
        audit.record(
            actor,
            "account.continent",
            account.public_id,
            account=account,
            continent=wanted or "anywhere",
        )
        account.continent = wanted
    return bool(changed)


@transaction.atomic
def rename_account(account: Account, *, name: str, actor: Actor) -> bool:
    """Give an account another name; return whether it changed. Raises ClosedAccountError."""
    require_open(account)
    changed = Account.objects.filter(pk=account.pk).exclude(name=name).update(name=name)
    if changed:
        audit.record(actor, "account.rename", account.public_id, account=account, name=name)
    return bool(changed)


def change_profile(user: User, *, name: str, time_zone: str, language: str) -> None:
    """Change how somebody is called, and in which zone they read."""
    user.name, user.time_zone, user.language = name, time_zone, language
    user.save(update_fields=["name", "time_zone", "language"])


def _move(account: Account, before: str, after: str) -> bool:
    moved = Account.objects.filter(pk=account.pk, state=before).update(state=after)
    if moved:
        account.state = after
    return bool(moved)


def _record(account: Account, verb: str, actor: Actor, reason: str) -> None:
    detail = {"reason": reason} if reason else {}
    audit.record(actor, verb, account.public_id, account=account, **detail)
