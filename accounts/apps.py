"""The app of people and accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Says at the start whom mail providers' news goes to, and what people are told."""

    name = "accounts"

    def ready(self) -> None:
        """Connect what is told from outside, and register the kinds of notices."""
        from accounts.closing import letters as of_closing  # noqa: F401
        from accounts.notifications import bounces
        from accounts.tokens import letters as of_tokens  # noqa: F401

        bounces.connect()
