"""A Celery task that fails."""

from backup_service.celery import app
from tests.support.failing.secrets import fail


@app.task(name="failing.fail")  # type: ignore[untyped-decorator]  # Celery has no types
def fail_task(secret: str) -> None:
    """Fail with its argument."""
    fail(secret)
