"""`/mail/`: the mails that an embedded service would have sent, for the one who runs it.

Only there, only for requests from the same computer, and of its users only for whoever has the
token that the launcher prints: the mails hold links that sign in.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from functools import wraps
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

# How Django's file backend ends each mail.
RULE = b"-" * 79
MOST_SHOWN = 50
COOKIE = "nightsafe_mail"
COOKIE_AGE = 30 * 24 * 3600  # seconds
WANTED = (
    "Mails hold links that sign people in, so this page wants the token of whoever runs the "
    "service. Open the address that stands behind “Mails” where the service was started, or add "
    "?token= and what service.env in the data directory says of NIGHTSAFE_MAIL_TOKEN."
)

View = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True)
class Mail:
    """One mail, as far as the page shows it."""

    at: datetime | None
    to: str
    subject: str
    body: str


def on_this_computer(view: View) -> View:
    """Answer 404 unless the service is embedded and the request never left this computer."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if not (settings.EMBEDDED and is_local(request)):
            raise Http404
        return view(request)

    return guarded


def with_token(view: View) -> View:
    """Answer 403 without the token, which comes with the address once and in a cookie later."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if _opens(request.GET.get("token", "")):
            response: HttpResponse = redirect("mailbox")  # it stays in no history and no referrer
            response.set_cookie(
                COOKIE,
                settings.MAIL_TOKEN,
                max_age=COOKIE_AGE,
                path=request.path,
                httponly=True,
                samesite="Lax",
            )
            return response
        if not _opens(request.COOKIES.get(COOKIE, "")):
            raise PermissionDenied(WANTED)
        return view(request)

    return guarded


def _opens(token: str) -> bool:
    return bool(settings.MAIL_TOKEN) and constant_time_compare(token, settings.MAIL_TOKEN)


def is_local(request: HttpRequest) -> bool:
    """Whether both ends of a request are this computer, with no proxy between."""
    if any(header in request.headers for header in ("X-Forwarded-For", "Forwarded", "Via")):
        return False
    host = urlsplit(f"//{request.get_host()}").hostname or ""
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and _is_loopback(host)


@require_safe
@never_cache
@on_this_computer
@with_token
def mailbox(request: HttpRequest) -> HttpResponse:
    """List the mails, newest first."""
    return render(request, "mailbox.html", {"mails": read_mails(Path(settings.MAIL_DIR))})


def read_mails(directory: Path) -> list[Mail]:
    """Return the newest mails in a directory of Django's file backend; none if it is absent."""
    try:
        # Names count whole seconds; the time of writing also orders the mails of one second.
        files = sorted(directory.glob("*.log"), key=lambda file: -file.stat().st_mtime_ns)
        contents = [file.read_bytes() for file in files[:MOST_SHOWN]]
    except FileNotFoundError:
        return []
    mails = [mail for content in contents for mail in reversed(_split(content))]
    return mails[:MOST_SHOWN]


def _split(content: bytes) -> list[Mail]:
    parts = content.split(b"\n" + RULE + b"\n")
    return [_mail(part) for part in parts if part.strip()]


def _mail(content: bytes) -> Mail:
    message = message_from_bytes(content, policy=policy.default)
    body = message.get_body(("plain",)) if isinstance(message, EmailMessage) else None
    return Mail(
        at=_moment(str(message.get("Date", ""))),
        to=str(message.get("To", "")),
        subject=str(message.get("Subject", "")),
        body=body.get_content() if body is not None else "",
    )


def _moment(date: str) -> datetime | None:
    """Read a Date header, whose -0000 means UTC from an unknown place."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
