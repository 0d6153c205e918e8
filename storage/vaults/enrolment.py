"""Enrols a device: a vault and the credential that may set it up."""

from dataclasses import dataclass
from itertools import count

from django.db import IntegrityError, transaction
from django.utils.translation import gettext, ngettext

from accounts import audit
from accounts.actions import add_device, choose_continent
from accounts.audit import Actor
from accounts.closed_accounts import ClosedAccountError, require_open
from accounts.models import Account, Device
from billing.actions import entitlements_of
from storage.models import Credential, Usage, Vault
from storage.vaults import credentials, sequence
from storage.vaults.credentials import NewCredential


class VaultNameTakenError(Exception):
    """The account has a vault of that name already."""


class AlreadySetUpError(Exception):
    """The vault was set up, so nothing is left to do. The text is for the customer."""


class LimitError(Exception):
    """There is no room for another one. The text is for the customer."""


class DeviceLimitError(LimitError):
    """The plan has no room for another device."""


class VaultLimitError(LimitError):
    """The account has as many vaults as one may have."""


MOST_VAULTS = 200  # of an account, far more than one for each device


@dataclass(frozen=True)
class Enrolled:
    """A new vault and its first credential. The secret is shown once."""

    vault: Vault
    first: NewCredential

    @property
    def url(self) -> str:
        """The vault's address for restic and the agent."""
        return self.vault.url


@transaction.atomic
def create_vault(
    account: Account,
    *,
    name: str,
    actor: Actor,
    device: Device | None = None,
    scope: str = Credential.Scope.BACKUP,
) -> Enrolled:
    """Make a vault with a first credential that carries the right to set it up.

    Raises VaultNameTakenError, VaultLimitError, or ValueError for an unknown scope.
    """
    vault = add_vault(account, name=name, actor=actor, device=device)
    may_set_up = scope != Credential.Scope.RESTORE
    first = credentials.create(
        vault, scope=scope, actor=actor, device=device, with_setup=may_set_up
    )
    return Enrolled(vault, first)


@transaction.atomic
def add_vault(account: Account, *, name: str, actor: Actor, device: Device | None = None) -> Vault:
    """Make a vault that nobody can enter yet. Raises VaultNameTakenError, VaultLimitError."""
    _require_open(account)
    if Vault.objects.filter(account=account, closed_at=None).count() >= MOST_VAULTS:
        raise VaultLimitError(
            gettext(
                "An account has at most %(most_vaults)s vaults. Delete one that was never set "
                "up, or ask us."
            )
            % {"most_vaults": MOST_VAULTS}
        )
    Usage.objects.get_or_create(account=account)
    try:
        with transaction.atomic():
            vault = Vault.objects.create(account=account, name=name, device=device)
    except IntegrityError as error:
        raise VaultNameTakenError(name) from error
    audit.record(actor, "vault.create", vault.public_id, account=account, name=name)
    return vault


@transaction.atomic
def renew_setup(vault: Vault, *, actor: Actor) -> NewCredential:
    """Make a fresh credential with the right to set up a vault that nobody has set up.

    Those that nobody has used end with that, since their secrets were lost or are not needed.
    Raises AlreadySetUpError, TooManyCredentialsError.
    """
    locked = sequence.lock(vault)
    if not locked.is_new:
        raise AlreadySetUpError(gettext("This vault has been set up already."))
    unused = Credential.objects.filter(vault=locked, revoked_at=None, last_used_at=None)
    unused = unused.exclude(scope=Credential.Scope.RESTORE)
    for credential in unused.select_related("vault__account").order_by("pk"):
        credentials.revoke(credential, actor=actor)
    return credentials.create(
        vault, scope=Credential.Scope.BACKUP, actor=actor, device=vault.device, with_setup=True
    )


@transaction.atomic
def enrol_device(
    account: Account, *, name: str, actor: Actor, continent: str | None = None
) -> Enrolled:
    """Add a computer with a vault of the same name, and choose a continent if one is given.

    Raises DeviceNameTakenError, VaultNameTakenError or a LimitError.
    """
    vault = add_computer(account, name=name, actor=actor, continent=continent)
    first = credentials.create(
        vault,
        scope=Credential.Scope.BACKUP,
        actor=actor,
        device=vault.device,
        with_setup=True,
    )
    return Enrolled(vault, first)


@transaction.atomic
def add_computer(
    account: Account, *, name: str, actor: Actor, continent: str | None = None
) -> Vault:
    """Do as `enrol_device`, without a credential, and return the vault."""
    require_computer_room(account)
    if continent is not None:
        choose_continent(account, continent=continent, actor=actor)
    device = add_device(account, name=name, actor=actor)
    _free_name(account, name, actor)
    return add_vault(account, name=name, actor=actor, device=device)


def require_computer_room(account: Account) -> None:
    """Lock an account's row. Raises a LimitError if it can have no further computer."""
    limit = entitlements_of(account).device_limit
    _require_open(account)
    if limit is not None and account.devices.filter(retired_at=None).count() >= limit:
        raise DeviceLimitError(
            ngettext(
                "Your plan has room for %(limit)s computer. Retire one that is no longer used, or "
                "choose a larger plan.",
                "Your plan has room for %(limit)s computers. Retire one that is no longer used, or "
                "choose a larger plan.",
                limit,
            )
            % {"limit": limit}
        )


def _require_open(account: Account) -> None:
    """Lock an account's row. Raises VaultLimitError for one that is closed."""
    try:
        require_open(account)
    except ClosedAccountError as error:
        raise VaultLimitError(str(error)) from error


def _free_name(account: Account, name: str, actor: Actor) -> None:
    """Give another name to the vault of this name whose device is retired, if there is one."""
    former = Vault.objects.filter(account=account, name=name, device__retired_at__isnull=False)
    vault = former.select_related("account", "device").first()
    if vault is None or vault.device is None or vault.device.retired_at is None:
        return
    kept = f"{name[:70]} (retired {vault.device.retired_at:%Y-%m-%d})"
    taken = set(Vault.objects.filter(account=account).values_list("name", flat=True))
    names = (kept if n == 1 else f"{kept} {n}" for n in count(1))
    rename_vault(vault, name=next(one for one in names if one not in taken), actor=actor)


@transaction.atomic
def rename_vault(vault: Vault, *, name: str, actor: Actor) -> None:
    """Give a vault another name; its address stays. Raises VaultNameTakenError."""
    before = vault.name
    try:
        with transaction.atomic():
            Vault.objects.filter(pk=vault.pk).update(name=name)
    except IntegrityError as error:
        raise VaultNameTakenError(name) from error
    vault.name = name
    audit.record(
        actor, "vault.rename", vault.public_id, account=vault.account, name=name, before=before
    )
