"""`manage.py clock`: move the clock of an embedded service, for trying what takes weeks."""

import re
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from backup_service import clock
from storage import wakeups
from storage.database import elapsed_time
from storage.management.operator_command import OperatorCommand

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
MAX_AHEAD = timedelta(days=20 * 365)
STEP = timedelta(hours=5)  # less than what counts as a jump


class Command(OperatorCommand):
    help = (
        "Move the clock of an embedded service, for all its processes at once, so that a trial "
        "need not wait for weeks. There is no such thing in production."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the acts."""
        acts = parser.add_subparsers(dest="act", required=True)
        show = acts.add_parser("show", help="what time it is for the service")
        advance = acts.add_parser("advance", help="put the clock forward")
        advance.add_argument("span", help="by how much: 90s, 15m, 12h, 15d, 2w")
        reset = acts.add_parser("reset", help="put the clock back to this computer's time")
        for act in (show, advance, reset):
            super().add_arguments(act)

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        """Move the clock, and return what time it is."""
        file = settings.CLOCK_FILE
        if file is None:
            raise CommandError("Only the clock of an embedded service can be moved.")
        match options["act"]:
            case "advance":
                ahead = clock.ahead() + _parse(options["span"])
                if ahead > MAX_AHEAD:
                    raise CommandError(f"That is more than {MAX_AHEAD.days} days ahead.")
                _advance(file, ahead)
                wakeups.everything()  # else what is due comes at beat's next tick, by itself
            case "reset":
                clock.move(file, timedelta(0))
        return {"now": clock.now(), "ahead_seconds": clock.ahead().total_seconds()}


def _advance(file: Path, ahead: timedelta) -> None:
    """Let the time pass in steps that are seen, so that it counts for what is kept for a while."""
    while (gone := clock.ahead()) < ahead:
        clock.move(file, min(gone + STEP, ahead))
        elapsed_time.observe()


def _parse(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise CommandError(f"{text} is no span of time such as 90s, 15m, 12h, 15d or 2w.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
