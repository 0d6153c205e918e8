"""The app of plans and payments."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Says at the start which notices there are about money and room."""

    name = "billing"

    def ready(self) -> None:
        """Register the kinds of notices."""
        from billing import letters  # noqa: F401
