"""Pages for whoever was invited: what they are invited to, and accepting it."""

from allauth.account.models import EmailAddress
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import choose_account
from accounts.members import invitations
from accounts.members.errors import MemberError
from accounts.members.invitations import KEPT
from accounts.models import Invitation, User
from accounts.roles import role_word
from accounts.website.acting import actor_of, user_of


@never_cache
@require_safe
def follow_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the token of a mail's link out of the address."""
    request.session[KEPT] = invitations.digest_of(token)
    return redirect("invitation")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest) -> HttpResponse:
    """Show what somebody is invited to; the form accepts it."""
    found = invitations.find(str(request.session.get(KEPT, "")))
    if request.method == "POST":
        return _accept(request, found)
    reason = _reason(found)
    user = request.user if isinstance(request.user, User) else None
    context = {
        "invitation": None if reason else found,
        "reason": reason,
        "is_theirs": bool(user and found and found.email in _confirmed(user)),
    }
    return render(request, "accounts/invitation.html", context)


@login_required
def _accept(request: HttpRequest, found: Invitation | None) -> HttpResponse:
    user = user_of(request)
    if found is None:
        return redirect("invitation")
    try:
        seat = invitations.accept(found, user, confirmed=_confirmed(user), actor=actor_of(request))
    except MemberError as error:
        messages.error(request, str(error))
        return redirect("invitation")
    request.session.pop(KEPT, None)
    choose_account(request, seat.account.public_id)
    messages.success(
        request,
        gettext("You are a member of “%(account_name)s” now, as %(seat_role)s.")
        % {"account_name": seat.account.name, "seat_role": role_word(seat.role)},
    )
    return redirect("dashboard")


def _reason(found: Invitation | None) -> str:
    """Return why an invitation cannot be accepted, or "" if it can."""
    if found is None:
        return gettext("It is too old, was taken back, or was cut off in the mail.")
    if found.accepted_at is not None:
        return gettext("It was accepted already; it serves once.")
    if found.account.is_closed:
        return gettext("The account has been closed.")
    if not invitations.is_waiting(found):
        return gettext("It is too old, or was taken back. Ask for another one.")
    return ""


def _confirmed(user: User) -> set[str]:
    """Return the addresses that a person has proved to have, in lower case."""
    addresses = EmailAddress.objects.filter(user=user, verified=True)
    return {address.lower() for address in addresses.values_list("email", flat=True)}
