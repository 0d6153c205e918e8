"""What of an account's computers and vaults a token opens: the one door of this API."""

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.request import Request

from accounts.customer_api.authentication import access_of, require
from accounts.models import Device
from accounts.roles import Right
from accounts.tokens.tokens import TokenAccess
from storage.models import Credential, Vault


def vaults(request: Request, *, to_change: bool = False) -> QuerySet[Vault]:
    """Return the vaults that the token sees. Raises PermissionDenied."""
    access = require(request, Right.CHANGE_BACKUPS if to_change else _sees(request))
    found = Vault.objects.filter(account=access.account, closed_at=None)
    if not access.may(Right.SEE_ALL_BACKUPS):
        found = found.filter(device__member=access.membership)
    return found.select_related("device", "account")


def vault(request: Request, vault_id: str, *, to_change: bool = False) -> Vault:
    """Return one of them. Raises Http404, PermissionDenied."""
    return get_object_or_404(vaults(request, to_change=to_change), public_id=vault_id)


def vault_of_owner(request: Request, vault_id: str) -> Vault:
    """Return a vault, to do with it what people prove for on the website who they are.

    A program cannot, so it is one of whoever runs the account. Raises Http404, PermissionDenied.
    """
    found = vault(request, vault_id, to_change=True)
    if not access_of(request).may(Right.CHANGE_ACCOUNT):
        raise PermissionDenied(
            "A program may do that with a token that an owner or admin has made. Members do it on "
            "the website, where they prove who they are."
        )
    return found


def devices(request: Request, *, to_change: bool = False) -> QuerySet[Device]:
    """Return the computers that the token sees, retired ones too. Raises PermissionDenied."""
    access = require(request, Right.CHANGE_BACKUPS if to_change else _sees(request))
    found = Device.objects.filter(account=access.account)
    return found if access.may(Right.SEE_ALL_BACKUPS) else found.filter(member=access.membership)


def device(request: Request, device_id: str, *, to_change: bool = False) -> Device:
    """Return one of them. Raises Http404, PermissionDenied."""
    return get_object_or_404(devices(request, to_change=to_change), public_id=device_id)


def credential(request: Request, vault_id: str, username: str) -> Credential:
    """Return a vault's credential, to be changed. Raises Http404, PermissionDenied."""
    found = Credential.objects.filter(vault=vault(request, vault_id, to_change=True))
    return get_object_or_404(found.select_related("vault__account"), prefix=username)


def _sees(request: Request) -> Right:
    access = request.auth
    if isinstance(access, TokenAccess) and access.may(Right.SEE_ALL_BACKUPS):
        return Right.SEE_ALL_BACKUPS
    return Right.SEE_OWN_BACKUPS
