"""Pages about members: who they are, their roles, invitations, and who owns the account."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Seat, choose_account, devices_seen_by, present_seat, seats_of
from accounts.members import invitations, seats
from accounts.members.errors import MemberError
from accounts.models import Invitation, Membership
from accounts.roles import MANAGES, Right, meaning
from accounts.website.acting import actor_of
from accounts.website.reauthentication import recently_authenticated, require_presence
from accounts.website.seats.forms import InviteForm, MoveForm, RoleForm
from accounts.website.seats.invitation_mail import send_invitation


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def members(request: HttpRequest) -> HttpResponse:
    """The account's members and invitations; the form invites somebody."""
    seat = present_seat(request).require(Right.SEE_MEMBERS)
    form = InviteForm(
        request.POST if request.method == "POST" else None,
        by=seat.role,
        initial={"role": Membership.Role.MEMBER},
    )
    if request.method == "POST":
        seat.require(Right.CHANGE_MEMBERS)
        if form.is_valid() and _invite(request, seat, form):
            return redirect("members")
    return render(request, "accounts/members.html", _context(seat, form))


def _invite(request: HttpRequest, seat: Seat, form: InviteForm) -> bool:
    """Invite somebody and mail it, or leave the reason why not in the form."""
    try:
        made = invitations.invite(seat, **form.cleaned_data, actor=actor_of(request))
    except MemberError as error:
        form.add_error("email", str(error))
        return False
    if send_invitation(made):
        messages.success(
            request,
            gettext("%(invitation_email)s is invited, by mail.")
            % {"invitation_email": made.invitation.email},
        )
    else:
        messages.error(
            request, gettext("The mail could not be sent. Please invite them once more later.")
        )
    return True


def _context(seat: Seat, form: InviteForm) -> dict[str, object]:
    found = seat.account.memberships.select_related("user").order_by("created_at", "pk")
    return {
        "form": form,
        "seat": seat,
        "members": [(one, one.role in MANAGES[seat.role]) for one in found],
        "invitations": invitations.waiting_of(seat.account),
        "may_change": seat.may(Right.CHANGE_MEMBERS),
        "may_transfer": seat.may(Right.TRANSFER_ACCOUNT),
        "meaning": meaning(seat.role),
    }


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def change_role(request: HttpRequest, seat_id: int) -> HttpResponse:
    """Give a member another role."""
    seat = present_seat(request).require(Right.CHANGE_MEMBERS)
    member = _member(seat, seat_id)
    form = RoleForm(
        request.POST if request.method == "POST" else None,
        by=seat.role,
        initial={"role": member.role},
    )
    if form.is_valid():
        try:
            seats.change_role(seat, member, **form.cleaned_data, actor=actor_of(request))
        except MemberError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, gettext("Saved."))
            return redirect("members")
    return render(request, "accounts/member_role.html", {"member": member, "form": form})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def remove(request: HttpRequest, seat_id: int) -> HttpResponse:
    """Ask, then take a member's seat away."""
    seat = present_seat(request).require(Right.CHANGE_MEMBERS)
    member = _member(seat, seat_id)
    if request.method != "POST":
        return render(request, "accounts/member_remove.html", {"member": member})
    try:
        seats.remove(seat, member, actor=actor_of(request))
    except MemberError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            gettext("%(user_email)s is no longer a member.") % {"user_email": member.user.email},
        )
    return redirect("members")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def leave(request: HttpRequest) -> HttpResponse:
    """Ask, then give one's own seat up."""
    seat = present_seat(request)
    if request.method != "POST":
        return render(request, "accounts/member_leave.html", {"seat": seat})
    try:
        seats.leave(seat, actor=actor_of(request))
    except MemberError as error:
        messages.error(request, str(error))
        return redirect("members")
    messages.success(
        request, gettext("You have left “%(account_name)s”.") % {"account_name": seat.account.name}
    )
    return redirect("dashboard")


@login_required
@never_cache
@require_POST
@recently_authenticated
def offer(request: HttpRequest, seat_id: int) -> HttpResponse:
    """Offer the account to a member, or take the offer back."""
    seat = present_seat(request)
    member = _member(seat, seat_id)
    try:
        if "back" in request.POST:
            seats.take_offer_back(seat, member, actor=actor_of(request))
        else:
            seats.offer_ownership(seat, member, actor=actor_of(request))
            messages.success(
                request,
                gettext("Offered. It is yours until %(user_email)s accepts.")
                % {"user_email": member.user.email},
            )
    except MemberError as error:
        messages.error(request, str(error))
    return redirect("members")


@login_required
@never_cache
@require_POST
@recently_authenticated
def take_over(request: HttpRequest) -> HttpResponse:
    """Accept an account that was offered."""
    try:
        seats.accept_ownership(present_seat(request), actor=actor_of(request))
    except MemberError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, gettext("The account is yours now."))
    return redirect("members")


@login_required
@never_cache
@require_POST
def uninvite(request: HttpRequest, invitation_id: int) -> HttpResponse:
    """Take an invitation back."""
    seat = present_seat(request).require(Right.CHANGE_MEMBERS)
    found = get_object_or_404(Invitation, account=seat.account, pk=invitation_id)
    try:
        invitations.revoke(seat, found, actor=actor_of(request))
    except MemberError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            gettext("The invitation of %(found_email)s no longer works.")
            % {"found_email": found.email},
        )
    return redirect("members")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """Look at another of one's accounts."""
    if request.method == "POST":
        choose_account(request, request.POST.get("account", ""))
        return redirect("dashboard")
    context = {"seats": seats_of(request.user)[:100], "present": present_seat(request)}
    return render(request, "accounts/switch.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def move_device(request: HttpRequest, device_id: str) -> HttpResponse:
    """Say whose a device is."""
    seat = present_seat(request).require(Right.MOVE_DEVICES)
    device = get_object_or_404(devices_seen_by(seat), public_id=device_id)
    require_presence(request)  # whoever has it may delete what is in its vaults
    people = list(seat.account.memberships.select_related("user").order_by("pk"))
    form = MoveForm(
        request.POST if request.method == "POST" else None,
        members=people,
        initial={"member": str(device.member_id or "")},
    )
    if form.is_valid():
        chosen = form.cleaned_data["member"]
        to = next((one for one in people if str(one.pk) == chosen), None)
        try:
            seats.move_device(seat, device, to=to, actor=actor_of(request))
        except MemberError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, gettext("Saved."))
        return redirect("dashboard")
    return render(request, "accounts/device_move.html", {"device": device, "form": form})


def _member(seat: Seat, seat_id: int) -> Membership:
    members_here = seat.account.memberships.select_related("user")
    return get_object_or_404(members_here, pk=seat_id)
