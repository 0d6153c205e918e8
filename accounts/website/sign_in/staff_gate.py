"""Lets staff onto their pages only in a session that was opened with a second factor."""

from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import User

FACTORS = (Authenticator.Type.WEBAUTHN, Authenticator.Type.TOTP)


class StaffGate:
    """Sends staff to set up a second factor, or to use it, before any of their pages.

    That a factor is set up is not enough: a session that was opened with the password alone, before
    that or by somebody else, must show it as well.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass a request on; `process_view` looks at it."""
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Redirect staff who have not shown a second factor in this session."""
        match = request.resolver_match
        if match is None or "admin" not in match.app_names:
            return None
        user = request.user
        if not isinstance(user, User) or not user.is_staff or _showed_factor(request, user):
            return None  # the admin itself sends away whoever is not staff
        own = set(
            Authenticator.objects.filter(user=user, type__in=FACTORS).values_list("type", flat=True)
        )
        if not own:
            messages.warning(
                request, "Staff pages want a second factor. Add a passkey or an app first."
            )
            return redirect("mfa_index")
        is_by_code = Authenticator.Type.TOTP in own
        page = "mfa_reauthenticate" if is_by_code else "mfa_reauthenticate_webauthn"
        return redirect(f"{reverse(page)}?{urlencode({'next': request.get_full_path()})}")


def _showed_factor(request: HttpRequest, user: User) -> bool:
    records = get_authentication_records(request, user)
    return any(record.get("method") == "mfa" for record in records)
