"""The app of people and accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Says at the start whom mail providers' news goes to."""

    name = "accounts"

    def ready(self) -> None:
        """Connect what is told from outside."""
        from accounts.notifications import bounces

        bounces.connect()
