"""The agent's clock, which a file may move for tests: NIGHTSAFE_CLOCK, seconds that it is ahead."""

import os
from datetime import UTC, datetime, timedelta

_MOVED_BY = "NIGHTSAFE_CLOCK"


def now() -> datetime:
    """Return the present moment (aware, UTC), in whole seconds."""
    return (datetime.now(UTC) + _ahead()).replace(microsecond=0)


def can_be_moved() -> bool:
    """Return whether a file may move the clock at any moment."""
    return bool(os.environ.get(_MOVED_BY))


def _ahead() -> timedelta:
    path = os.environ.get(_MOVED_BY, "")
    try:
        with open(path, encoding="ascii") as file:
            return timedelta(seconds=float(file.read(100)))
    except (OSError, ValueError, OverflowError):  # none is named, or it is being written
        return timedelta()
