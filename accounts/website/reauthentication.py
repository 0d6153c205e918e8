"""Asks people for their password or second factor again before something dangerous."""

import time
from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

View = Callable[..., HttpResponseBase]


def recently_authenticated(view: View) -> View:
    """Let a page be seen by whoever is signed in, and its forms be sent only by who is there.

    What was sent is kept and done once the person has proved it. Unlike for allauth, who signed in
    a moment ago has.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD") and not is_there(request):
            raise ReauthenticationRequired
        return view(request, *args, **kwargs)

    return guarded


def require_presence(request: HttpRequest) -> None:
    """Let nobody send a form who has not proved a moment ago who they are.

    For views that answer 404 to strangers first. Raises ReauthenticationRequired, upon which the
    person is asked, and what they sent is done afterwards.
    """
    if request.method not in ("GET", "HEAD") and not is_there(request):
        raise ReauthenticationRequired


def page_of_proof(request: HttpRequest, *, then: str) -> str:
    """Return the address of a page that has the person prove who they are, and leads to `then`.

    Raises PermissionDenied for somebody who has no way to.
    """
    ways = get_adapter(request).get_reauthentication_methods(request.user)
    if not ways:
        raise PermissionDenied
    return f"{ways[0]['url']}?{urlencode({'next': then})}"


def is_there(request: HttpRequest) -> bool:
    """Return whether the person has typed a password, or used a second factor, just now."""
    since = time.time() - app_settings.REAUTHENTICATION_TIMEOUT
    records = get_authentication_records(request, request.user)
    return any(
        record["method"] in app_settings.REAUTHENTICATION_METHODS and record["at"] > since
        for record in records
    )
