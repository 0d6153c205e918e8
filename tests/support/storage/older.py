"""An older copy of the database, taken and put back, and time that is seen to pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Model

from backup_service import clock
from storage.models import Catalogue

Rows = dict[type[Model], list[dict[str, Any]]]


def copy() -> Rows:
    """Return all rows of accounts, billing and storage."""
    return {model: list(model._default_manager.values()) for model in _models()}


def put_back(rows: Rows) -> None:
    """Make the database what it was when `rows` were copied."""
    with connection.constraint_checks_disabled():
        for model in _models():
            model._default_manager.all()._raw_delete("default")  # noqa: SLF001, without what Django would do beside it
        for model, values in rows.items():
            model._default_manager.bulk_create(model(**row) for row in values)
    connection.check_constraints()


@contextmanager
def passed(by: timedelta) -> Iterator[None]:
    """Let time pass that the service has seen pass, for the length of a `with` block."""
    with clock.travelled(by):
        Catalogue.objects.update_or_create(pk=1, defaults={"seen_at": clock.now()})
        yield


def _models() -> list[type[Model]]:
    return [
        model
        for label in ("accounts", "billing", "storage")
        for model in apps.get_app_config(label).get_models()
        if model._meta.managed and not model._meta.proxy
    ]
