"""Has allauth sign people up with an account of their own, on the free plan."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from accounts.actions import open_account
from accounts.models import User

TOO_OFTEN = "Too many attempts in a short time. Please wait five minutes and try again."


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Saves a new person together with the account they own."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": "This sign-in has been closed. Please write to support.",
        "email_password_mismatch": "This e-mail address and password do not belong together.",
        "enter_current_password": "This is not your present password.",
        "incorrect_password": "This is not your password.",
        "too_many_login_attempts": TOO_OFTEN,
        "rate_limited": TOO_OFTEN,
        "duplicate_email": "This is your e-mail address already.",
    }

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail whose addresses are the service's own, whatever host the request named."""
        links = {name: _ours(link) for name, link in context.items() if name.endswith("_url")}
        told = {**context, **links, "site_url": settings.SITE_URL}
        super().send_mail(template_prefix, email, told)

    def save_user(
        self, request: HttpRequest, user: User, form: object, commit: bool = True
    ) -> User:
        """Store the person and, in the same transaction, their account and plan."""
        try:
            with transaction.atomic():
                saved: User = super().save_user(request, user, form, commit=commit)
                if commit:
                    open_account(saved)
        except IntegrityError as error:
            # The button was pressed twice: the other request has sent the mail.
            raise ImmediateHttpResponse(redirect("account_email_verification_sent")) from error
        return saved


def _ours(link: str) -> str:
    """Return the same page, at the address that the service has."""
    path = urlsplit(link)._replace(scheme="", netloc="").geturl()
    return f"{settings.SITE_URL}{path}"
