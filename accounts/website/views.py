"""Pages about the account itself: opening one, and what was done in it."""

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.access import accounts_of
from accounts.actions import open_account
from accounts.models import User

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
