"""The one door to accounts: people see only the accounts in which they have a seat."""

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404

from accounts.models import Account, Device, Membership, User


def accounts_of(user: User | AnonymousUser) -> QuerySet[Account]:
    """Return the accounts in which `user` has a seat."""
    if not isinstance(user, User):
        return Account.objects.none()
    return Account.objects.filter(memberships__user=user).order_by("created_at")


def own_account(user: User | AnonymousUser) -> Account:
    """Return the account whose pages `user` sees. Raises Http404 without one."""
    account = accounts_of(user).first()
    if account is None:
        raise Http404
    return account


def own_account_to_change(user: User | AnonymousUser) -> Account:
    """Return the account in which `user` may change something.

    Raises Http404 without an account, PermissionDenied for an auditor, who may only look.
    """
    account = own_account(user)
    seats = Membership.objects.filter(account=account, user=user.pk)
    if not seats.exclude(role=Membership.Role.AUDITOR).exists():
        raise PermissionDenied("An auditor may look at everything and change nothing.")
    return account


def seat_of(user: User | AnonymousUser, account: Account) -> Membership:
    """Return the seat of `user` in an account. Raises Http404 without one."""
    seats = Membership.objects.select_related("user", "account", "mail_preference")
    seat = seats.filter(account=account, user=user.pk).first()
    if seat is None:
        raise Http404
    return seat


def devices_of(account: Account) -> QuerySet[Device]:
    """Return the account's devices in use, oldest first."""
    return Device.objects.filter(account=account, retired_at=None).order_by("created_at")
