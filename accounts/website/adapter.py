"""Has allauth sign people up with an account of their own, on the free plan."""

import logging
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext, gettext_lazy, gettext_noop

from accounts.actions import open_account
from accounts.audit import Actor
from accounts.audit.people import record_of_person
from accounts.client_address import client_address
from accounts.members import invitations
from accounts.models import User
from accounts.notifications.mail_errors import MAIL_ERRORS
from accounts.reader import worded_for
from accounts.tallies import SIGN_IN_FAILURES, SIGN_UPS, tallies
from accounts.website.sign_in import known_browsers
from accounts.website.sign_in.sessions import keep_newest
from accounts.website.sign_in.user_agents import in_words

log = logging.getLogger(__name__)
NEW_BROWSER = "account/email/new_browser"
# What is mailed about how somebody signs in is on record as well. What a mail is about: the verb.
ON_RECORD = {
    "account/email/email_changed": "sign-in.address",
    "account/email/password_changed": "sign-in.password",
    "account/email/password_reset": "sign-in.reset",
    "account/email/password_set": "sign-in.password",
    "mfa/email/recovery_codes_generated": "sign-in.codes",
    "mfa/email/totp_activated": "sign-in.app-add",
    "mfa/email/totp_deactivated": "sign-in.app-remove",
    "mfa/email/webauthn_added": "sign-in.passkey-add",
    "mfa/email/webauthn_removed": "sign-in.passkey-remove",
    NEW_BROWSER: "sign-in.new-browser",
}
BY_PASSKEY = "mfa_reauthenticate:webauthn"
WAYS = {
    "reauthenticate": gettext_noop("Use your password"),
    "mfa_reauthenticate": gettext_noop("Use a code of your app, or a recovery code"),
    BY_PASSKEY: gettext_noop("Use a passkey"),
}
TOO_OFTEN = gettext_lazy(
    "Too many attempts in a short time. Please wait five minutes and try again."
)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Saves a new person together with the account they own."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": gettext_lazy("This sign-in has been closed. Please write to support."),
        "email_password_mismatch": gettext_lazy(
            "This e-mail address and password do not belong together."
        ),
        "enter_current_password": gettext_lazy("This is not your present password."),
        "incorrect_password": gettext_lazy("This is not your password."),
        "too_many_login_attempts": TOO_OFTEN,
        "rate_limited": TOO_OFTEN,
        "duplicate_email": gettext_lazy("This is your e-mail address already."),
    }

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail whose addresses are the service's own, whatever host the request named.

        Raises ImmediateHttpResponse with a page that says what to do where it cannot be sent.
        """
        links = {name: _ours(link) for name, link in context.items() if name.endswith("_url")}
        told = {**context, **links, "site_url": settings.SITE_URL}
        user = context.get("user")
        try:
            with worded_for(user) if isinstance(user, User) else nullcontext():
                super().send_mail(template_prefix, email, told)
        except MAIL_ERRORS as error:
            log.exception("a mail (%s) could not be sent", template_prefix)
            page = render(self.request, "account/mail_away.html", status=503)
            raise ImmediateHttpResponse(page) from error

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that limits count by. Raises PermissionDenied without one."""
        address: str = client_address(request) or super().get_client_ip(request)
        return address

    def get_reauthentication_methods(self, user: User) -> list[dict[str, str]]:
        """Return the ways to prove who one is, called as the other pages call them.

        The first is asked for: the passkey of whoever has one.
        """
        found: list[dict[str, str]] = super().get_reauthentication_methods(user)
        found.sort(key=lambda way: way["id"] != BY_PASSKEY)
        return [
            {**way, "description": gettext(WAYS.get(way["id"], way["description"]))}
            for way in found
        ]

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell somebody that the way they sign in has changed, and put it on record.

        It has been changed by now, so a mail that cannot be sent is an error of its own.
        """
        verb = ON_RECORD.get(template_prefix)
        agent = in_words(self.request.META.get("HTTP_USER_AGENT", ""))
        if verb is not None:
            actor = Actor.person(user, address=client_address(self.request))
            record_of_person(actor, verb, user, browser=agent)
        try:
            told = {**(context or {}), "browser": agent}
            super().send_notification_mail(template_prefix, user, told, email)
        except ImmediateHttpResponse:
            return  # it is in the log

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """Return whether the link of an invitation, mailed to that address, was opened here."""
        found = invitations.find(str(request.session.get(invitations.KEPT, "")))
        return (
            found is not None
            and invitations.is_waiting(found)
            and found.email == email.strip().lower()
        )

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign somebody in, and see whether it is for the first time."""
        self._is_first = user.last_login is None
        super().login(request, user)

    def post_login(self, request: HttpRequest, user: User, **about: Any) -> HttpResponse:
        """Tell somebody of a browser they never signed in with; remember it from now on."""
        response: HttpResponse = super().post_login(request, user, **about)
        if not self._is_first and not known_browsers.is_known(request, user):
            self.send_notification_mail(NEW_BROWSER, user)
        known_browsers.remember(request, response, user)
        keep_newest(user)
        return response

    def save_user(
        self, request: HttpRequest, user: User, form: object, commit: bool = True
    ) -> User:
        """Store the person and, in the same transaction, their account and plan."""
        try:
            with transaction.atomic():
                user.language = get_language() or ""
                saved: User = super().save_user(request, user, form, commit=commit)
                if commit:
                    open_account(saved)
                    transaction.on_commit(lambda: tallies.count(SIGN_UPS))
        except IntegrityError as error:
            # The button was pressed twice: the other request has sent the mail.
            raise ImmediateHttpResponse(redirect("account_email_verification_sent")) from error
        return saved

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Count it, beside what allauth does."""
        tallies.count(SIGN_IN_FAILURES)
        super().authentication_failed(request, **credentials)


def _ours(link: str) -> str:
    """Return the same page, at the address that the service has."""
    path = urlsplit(link)._replace(scheme="", netloc="").geturl()
    return f"{settings.SITE_URL}{path}"
