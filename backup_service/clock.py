"""The service's one clock, which tests can move.

In embedded mode an offset in seconds is read from the file `settings.CLOCK_FILE`, so that every
process of a service travels together. In production there is no such file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

_shift = timedelta(0)


def now() -> datetime:
    """Return the service's present moment (aware, UTC)."""
    return datetime.now(UTC) + _offset()


def ahead() -> timedelta:
    """Return how far the service's clock is ahead of this computer's."""
    return _offset()


def move(file: Path, by: timedelta) -> None:
    """Let every process that reads `file` be ahead by so much from now on."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(str(by.total_seconds()))
    new.replace(file)


def database_now() -> datetime:
    """Return the database server's present moment, the judge of lifetimes.

    Web processes on several machines may disagree on the time; the database does not. SQLite runs
    inside this process, so there the two are one.
    """
    if connection.vendor != "postgresql":
        return now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (moment,) = cursor.fetchone()
    return moment.astimezone(UTC) + _offset()  # type: ignore[no-any-return]


@contextmanager
def travelled(by: timedelta) -> Iterator[None]:
    """Move this process's clock by `by` for the length of a `with` block."""
    global _shift
    before, _shift = _shift, _shift + by
    try:
        yield
    finally:
        _shift = before


def _offset() -> timedelta:
    path: Path | None = settings.CLOCK_FILE
    if path is None:
        return _shift
    try:
        return _shift + timedelta(seconds=float(path.read_text()))
    except (FileNotFoundError, ValueError):
        return _shift
