"""Whether somebody has signed in with this browser before: a signed cookie remembers."""

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from accounts.models import User

COOKIE = "known_browser"
_SALT = "accounts.known-browser"
MOST_PEOPLE = 10  # who share a browser; of more, the first is forgotten
_A_YEAR = 365 * 24 * 3600  # seconds


def is_known(request: HttpRequest, user: User) -> bool:
    """Return whether the browser of a request has this person's mark."""
    return _mark(user) in _marks(request)


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Leave a person's mark in the browser that gets the response."""
    others = [mark for mark in _marks(request) if mark != _mark(user)]
    response.set_signed_cookie(
        COOKIE,
        ".".join([*others, _mark(user)][-MOST_PEOPLE:]),
        salt=_SALT,
        max_age=_A_YEAR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _marks(request: HttpRequest) -> list[str]:
    try:
        kept = request.get_signed_cookie(COOKIE, "", salt=_SALT, max_age=_A_YEAR)
    except signing.BadSignature:
        return []
    return [mark for mark in (kept or "").split(".") if mark]


def _mark(user: User) -> str:
    """Return what stands for a person and names nobody."""
    return salted_hmac(_SALT, str(user.pk), algorithm="sha256").hexdigest()[:32]
