"""Erases people: whoever is in no other account when theirs goes, or who deletes their sign-in."""

from django.db import transaction
from django.utils.translation import gettext

from accounts.closing import erasure
from accounts.closing.actions import ClosingError
from accounts.models import Account, Membership, User
from billing.models import Grant
from storage.models import DeviceAuthorization, Undelete

Role = Membership.Role


class OwnerError(ClosingError):
    """Somebody is the only owner of an account."""

    def __init__(self, account: Account) -> None:
        super().__init__(
            gettext(
                "You are the only owner of the account “%(account)s”. Give it to another "
                "member first, or close it: your sign-in goes with it."
            )
            % {"account": account}
        )


def erase_members(account: Account) -> int:
    """End an account's seats, and erase whoever has no other one; return 0 when all are gone."""
    for seat in account.memberships.select_related("user").order_by("pk")[:20]:
        _end(seat)
    return account.memberships.count()


def hindrance(user: User) -> ClosingError | None:
    """Return why somebody cannot be erased at present, or None: see `erase_oneself`."""
    if user.is_staff:
        return ClosingError(
            gettext("You are staff of this service. Ask its operator to end that first.")
        )
    for seat in Membership.objects.select_related("account").filter(user=user, role=Role.OWNER):
        others = seat.account.memberships.filter(role=Role.OWNER).exclude(pk=seat.pk)
        if not others.exists():
            return OwnerError(seat.account)
    return None


@transaction.atomic
def erase_oneself(user: User) -> None:
    """Leave every account, and erase the person.

    Raises OwnerError for an only owner, ClosingError for staff, whose acts others answer for.
    """
    for account in Account.objects.filter(memberships__user=user).order_by("pk"):
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    # Only now: an account may have been given to them while its row was waited for.
    found = hindrance(user)
    if found is not None:
        raise found
    for seat in Membership.objects.select_related("account").filter(user=user):
        erasure.end_seat(seat)
    _erase(user)


@transaction.atomic
def _end(seat: Membership) -> None:
    user = User.objects.select_for_update(no_key=True).get(pk=seat.user_id)
    erasure.end_seat(seat)
    if not Membership.objects.filter(user=user).exists() and not user.is_staff:
        _erase(user)


def _erase(user: User) -> None:
    """Erase a person without a seat from everything that is not one account's alone."""
    DeviceAuthorization.objects.filter(approved_by=user).update(approved_by=None)
    Undelete.objects.filter(actor=user).update(actor=None, actor_label="")
    Grant.objects.filter(granted_by=user).update(granted_by=None, granted_label=erasure.ERASED)
    erasure.erase_person(user)
