"""The one door to accounts: people see only the accounts in which they have a seat."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext

from accounts import request_facts
from accounts.models import Account, Device, Membership, User
from accounts.roles import Right, may, role_word

CHOSEN = "account"  # the session's key for the account that somebody looks at
FIELD = "in_account"  # of a form: the account that it was shown for


@dataclass(frozen=True)
class Seat:
    """A person in an account, and what they may do there."""

    membership: Membership

    @property
    def account(self) -> Account:
        """The account."""
        return self.membership.account

    @property
    def user(self) -> User:
        """The person."""
        return self.membership.user

    @property
    def role(self) -> str:
        """The role, as `Membership.Role` has it."""
        return self.membership.role

    def may(self, right: Right) -> bool:
        """Return whether the person has a right."""
        return may(self.role, right)

    def require(self, right: Right) -> "Seat":
        """Return the seat itself. Raises PermissionDenied without the right."""
        if not self.may(right):
            raise PermissionDenied(
                gettext(
                    "Your role in this account is “%(role)s”; with it you may not %(act)s. "
                    "Ask an owner or admin."
                )
                % {"role": role_word(self.role), "act": gettext(right.value)}
            )
        return self


def seats_of(user: User | AnonymousUser) -> QuerySet[Membership]:
    """Return a person's seats, oldest first; none in an account that is being erased."""
    if not isinstance(user, User):
        return Membership.objects.none()
    seats = Membership.objects.filter(user=user).select_related("account", "user")
    seats = seats.exclude(account__state=Account.State.ERASED)
    return seats.order_by("account__created_at", "pk")


def seat_or_none(request: HttpRequest) -> Seat | None:
    """Return the seat whose account is looked at, or None for somebody without any.

    The session holds the choice, and it is looked up anew each time: a seat that was taken away, or
    never was, falls back to the oldest that there is. A form is about the account that it was shown
    for, whatever was chosen in another tab since: see `_of_form`.
    """
    seats = seats_of(request.user)
    found = _of_form(request, seats)
    if found is None:
        chosen = request.session.get(CHOSEN)
        found = seats.filter(account__public_id=chosen).first() if chosen else None
        found = found or seats.first()
    if found is None:
        return None
    request.in_account = found.account.public_id  # type: ignore[attr-defined]  # for its forms
    request_facts.note(request, account=found.account.public_id, user=found.user_id)
    seat = Seat(found)
    request.seat = seat  # type: ignore[attr-defined]  # for the page's links
    return seat


def _of_form(request: HttpRequest, seats: QuerySet[Membership]) -> Membership | None:
    """Return the seat in the account that a form was shown for, and look at that from now on.

    None for no form, and for one that does not say. Raises PermissionDenied where there is no seat
    any more: what was meant for one account is never done to another one.
    """
    shown_for = request.POST.get(FIELD) if request.method == "POST" else None
    if not shown_for:
        return None
    found = seats.filter(account__public_id=shown_for).first()
    if found is None:
        raise PermissionDenied(
            gettext(
                "You are not a member of the account any more that this page was about. Nothing "
                "was changed."
            )
        )
    if request.session.get(CHOSEN) != shown_for:
        request.session[CHOSEN] = shown_for
    return found


def present_seat(request: HttpRequest) -> Seat:
    """Return the seat whose account is looked at. Raises Http404 without one."""
    seat = seat_or_none(request)
    if seat is None:
        raise Http404
    return seat


def choose_account(request: HttpRequest, account_id: str) -> Seat:
    """Look at another of one's accounts from now on. Raises Http404 for what is not one's own."""
    found = seats_of(request.user).filter(account__public_id=account_id).first()
    if found is None:
        raise Http404
    request.session[CHOSEN] = found.account.public_id
    return Seat(found)


def accounts_of(user: User | AnonymousUser) -> QuerySet[Account]:
    """Return the accounts in which `user` has a seat."""
    if not isinstance(user, User):
        return Account.objects.none()
    open_ones = Account.objects.exclude(state=Account.State.ERASED)
    return open_ones.filter(memberships__user=user).order_by("created_at")


def seat_of(user: User | AnonymousUser, account: Account) -> Membership:
    """Return the seat of `user` in an account. Raises Http404 without one."""
    seats = Membership.objects.select_related("user", "account", "mail_preference")
    seat = seats.filter(account=account, user=user.pk).first()
    if seat is None or seat.account.state == Account.State.ERASED:
        raise Http404
    return seat


def devices_of(account: Account) -> QuerySet[Device]:
    """Return the account's devices in use, oldest first."""
    return Device.objects.filter(account=account, retired_at=None).order_by("created_at")


def devices_seen_by(seat: Seat) -> QuerySet[Device]:
    """Return the devices in use that somebody sees, oldest first."""
    devices = devices_of(seat.account)
    return devices if seat.may(Right.SEE_ALL_BACKUPS) else devices.filter(member=seat.membership)
