"""Pages about the account itself: opening one, and what was done in it."""

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import accounts_of, own_account
from accounts.actions import open_account
from accounts.models import User
from accounts.website import history

A_PAGE = 50  # events


@login_required
@require_POST
def open_own_account(request: HttpRequest) -> HttpResponse:
    """Give somebody who has no seat anywhere, such as new staff, an account of their own."""
    with transaction.atomic():
        user = User.objects.select_for_update().get(email=request.user.get_username())
        if not accounts_of(user).exists():
            open_account(user)
    return redirect("dashboard")


@login_required
@never_cache
@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """What was done in the account, newest first, a page at a time."""
    account = own_account(request.user)
    events = history.events_of(account)
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        events = events.filter(pk__lt=int(before))
    shown = history.entries(account, events[: A_PAGE + 1])
    more = len(shown) > A_PAGE
    return render(
        request,
        "accounts/activity.html",
        {
            "history": shown[:A_PAGE],
            "older": shown[A_PAGE - 1].id if more else None,
            "is_first": not before,
        },
    )
