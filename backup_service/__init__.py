"""The Django project: settings, clock, addresses, and the embedded mode."""

from backup_service.celery import app as celery_app

__all__ = ["celery_app"]
