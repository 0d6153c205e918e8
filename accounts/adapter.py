"""How allauth signs people up here: with an account of their own, on the free plan."""

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Saves a new person together with the account they own."""

    def save_user(
        self, request: HttpRequest, user: User, form: object, commit: bool = True
    ) -> User:
        """Store the person and, in the same transaction, their account and plan."""
        from accounts.actions import open_account

        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=commit)
            if commit:
                open_account(saved)
        return saved
