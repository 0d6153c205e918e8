"""The first page of the settings: the person, and the account they look at."""

from zoneinfo import available_timezones

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import get_language_from_request, gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import present_seat, seat_or_none, seats_of
from accounts.actions import change_profile
from accounts.actions import rename_account as rename
from accounts.closed_accounts import ClosedAccountError
from accounts.reader import language_of
from accounts.roles import Right, meaning
from accounts.website.acting import actor_of, user_of
from accounts.website.seats.forms import AccountForm, ProfileForm


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def own_settings(request: HttpRequest) -> HttpResponse:
    """Name and time zone; the account, and one's role in it."""
    user = user_of(request)
    now = {"name": user.name, "time_zone": user.time_zone, "language": user.language}
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=now)
    if form.is_valid():
        change_profile(user, **form.cleaned_data)
        with translation.override(language_of(user) or get_language_from_request(request)):
            messages.success(request, gettext("Saved."))
        response = redirect("settings")
        # A language that this browser chose before.
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite="Lax")
        return response
    seat = seat_or_none(request)
    context = {
        "form": form,
        "zones": sorted(available_timezones()),
        "seat": seat,
        "meaning": meaning(seat.role) if seat else "",
        "account_form": AccountForm(initial={"name": seat.account.name}) if seat else None,
        "may_rename": bool(seat and seat.may(Right.CHANGE_ACCOUNT)),
        "has_several": seats_of(user)[:2].count() > 1,
    }
    return render(request, "accounts/profile.html", context)


@login_required
@require_POST
def rename_account(request: HttpRequest) -> HttpResponse:
    """Give the account another name."""
    seat = present_seat(request).require(Right.CHANGE_ACCOUNT)
    form = AccountForm(request.POST)
    if not form.is_valid():
        messages.error(request, gettext("An account has a name of 1 to 150 characters."))
        return redirect("settings")
    try:
        rename(seat.account, **form.cleaned_data, actor=actor_of(request))
    except ClosedAccountError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, gettext("Saved."))
    return redirect("settings")
