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
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

# How Django's file backend ends each mail.
RULE = b"-" * 79
MOST_SHOWN = 50
COOKIE = "nightsafe_mail"
COOKIE_AGE = 30 * 24 * 3600  # seconds
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


def _opens(token: str) -> bool:
    return bool(settings.MAIL_TOKEN) and constant_time_compare(token, settings.MAIL_TOKEN)


def is_local(request: HttpRequest) -> bool:
    """Return whether both ends of a request are this computer, with no proxy between."""
    if any(header in request.headers for header in ("X-Forwarded-For", "Forwarded", "Via")):
        return False
    host = urlsplit(f"//{request.get_host()}").hostname or ""
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and _is_loopback(host)


class TokenForm(forms.Form):
    """What opens the page. It is sent in the body, so it stands in no history and in no log."""

    token = forms.CharField(
        label="Token",
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "autofocus": True}),
    )

    def clean_token(self) -> str:
        """Return the token if it is the service's."""
        token: str = self.cleaned_data["token"]
        if not _opens(token):
            raise forms.ValidationError("This is not the token that was printed.")
        return token


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@on_this_computer
def mailbox(request: HttpRequest) -> HttpResponse:
    """List the mails, newest first, to a browser that has the token; ask others for it."""
    if request.method == "POST":
        form = TokenForm(request.POST)
        if form.is_valid():
            return _let_in(request)
        return render(request, "mailbox_token.html", {"form": form}, status=HTTPStatus.FORBIDDEN)
    if not _opens(request.COOKIES.get(COOKIE, "")):
        found = {"form": TokenForm()}
        return render(request, "mailbox_token.html", found, status=HTTPStatus.FORBIDDEN)
    return render(request, "mailbox.html", {"mails": read_mails(Path(settings.MAIL_DIR))})


def _let_in(request: HttpRequest) -> HttpResponse:
    response: HttpResponse = redirect("mailbox")
    response.set_cookie(
        COOKIE,
        settings.MAIL_TOKEN,
        max_age=COOKIE_AGE,
        path=request.path,
        httponly=True,
        samesite="Lax",
    )
    return response


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
