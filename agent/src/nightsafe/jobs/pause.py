"""A pause of the resident agent: until a moment, or until it is told to go on.

It stands in a file of its own, so that it holds through a restart of the agent or the computer.
"""

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta

from nightsafe.errors import SettingsError, UsageError
from nightsafe.fs.durability import read_file, replace_file
from nightsafe.schedule.parsing import parse_span
from nightsafe.schedule.wall_clock import local_zone
from nightsafe.settings.login import state_dir

FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The end of a pause that has none."""
_LARGEST = 4096


def pause_end(text: str, now: datetime) -> datetime:
    """Return when a pause ends: `tomorrow` with this day, or after a time such as 2h.

    It has no end if the text is empty. UsageError for anything else.
    """
    if not text:
        return FOR_EVER
    if text.strip().lower() == "tomorrow":
        day = now.astimezone(local_zone()).date() + timedelta(days=1)
        return datetime(day.year, day.month, day.day, tzinfo=local_zone()).astimezone(UTC)
    try:
        return now + timedelta(seconds=parse_span(text))
    except UsageError:
        raise UsageError(
            f"{text[:80]!a} is no time for a pause; write it like: 30m, 2h, 3d or tomorrow."
        ) from None


def begin_pause(until: datetime, folder: str = "") -> None:
    """Pause the agent. SettingsError if that cannot be written down."""
    path = _path(folder)
    try:
        replace_file(path, json.dumps({"until": until.isoformat()}))
    except OSError as error:
        raise SettingsError(f"The pause cannot be kept in {path}: {error.strerror}.") from error


def end_pause(folder: str = "") -> bool:
    """Let the agent go on; return whether it was paused. SettingsError if it stays so."""
    path = _path(folder)
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise SettingsError(f"{path} cannot be removed: {error.strerror}.") from error
    return True


def paused_until(now: datetime, folder: str = "") -> datetime | None:
    """Return the end of a pause that goes on; None if there is none.

    What cannot be read is none: a backup too many is better than none at all.
    """
    damaged = (ValueError, TypeError, KeyError, RecursionError, OverflowError)
    with contextlib.suppress(OSError, *damaged):
        raw = read_file(_path(folder), _LARGEST)
        until = datetime.fromisoformat(json.loads(raw)["until"])
        if until.tzinfo is not None and until > now:
            return until.astimezone(UTC)
    return None


def _path(folder: str) -> str:
    return os.path.join(folder or state_dir(), "pause.json")
