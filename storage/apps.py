"""The Django application."""

from django.apps import AppConfig


class StorageConfig(AppConfig):
    """Where the bytes live."""

    name = "storage"

    def ready(self) -> None:
        """Let `manage.py check` know of the regions' configuration, and register notices."""
        from storage.events import failures, notices  # noqa: F401
        from storage.monitoring import losses  # noqa: F401
        from storage.notices import letters  # noqa: F401
        from storage.stores import checks  # noqa: F401
