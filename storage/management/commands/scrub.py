"""`manage.py scrub`: read stored bytes again and mark what is damaged."""

import dataclasses
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from backup_service import clock
from storage.integrity import scrub
from storage.integrity.scrub import ScrubResult
from storage.management.operator_command import OperatorCommand

WIDTH = 24  # of the bar, in characters
EVERY = 0.2  # seconds


class Command(OperatorCommand):
    result = ScrubResult()
    regions_away: Sequence[str] = ()
    help = (
        "Read back the replicas that are due, or with --all every replica. Replicas in a region "
        "that is not there are counted as unreachable, and nothing more. It may be stopped at any "
        "moment; without --all it goes on where it was. Exit status 0: all is well; 1: something "
        "is damaged or was not reached, or a region is not there."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Scrub, and end with a status that says whether all is well."""
        super().handle(*args, **options)
        if self.result.damaged or self.result.unreachable or self.regions_away:
            sys.exit(1)

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--all", action="store_true")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["all"]:
            bar = Bar(*scrub.extent())
            result = scrub.scrub_all(report=bar.show)
        else:
            bar = Bar(*scrub.extent(scrub.due(clock.now())))
            result = scrub.scrub_due(byte_budget=float("inf"), report=bar.show)
        bar.end()
        self.result = result
        self.regions_away = scrub.regions_away()
        for alias in self.regions_away:
            self.stderr.write(f"Region {alias} is not there, so nothing in it was read.")
        return {**dataclasses.asdict(result), "regions_away": list(self.regions_away)}


class Bar:
    """A line on a terminal's standard error that tells how far a scrub is; elsewhere nothing."""

    def __init__(self, replicas: int, size: int) -> None:
        self._replicas = replicas
        self._bytes = size
        self._begun = time.monotonic()
        self._shown_at = 0.0
        self._is_shown = sys.stderr.isatty()

    def show(self, result: ScrubResult) -> None:
        """Draw it anew, a few times a second."""
        now = time.monotonic()
        if self._is_shown and now - self._shown_at > EVERY:
            self._shown_at = now
            sys.stderr.write("\r" + self.line(result, now - self._begun))
            sys.stderr.flush()

    def line(self, result: ScrubResult, seconds: float) -> str:
        """Return what it says after so many seconds."""
        part = min(1.0, result.bytes / self._bytes) if self._bytes else 1.0
        filled = round(part * WIDTH)
        rate = result.bytes / max(seconds, 0.001)
        left = (self._bytes - result.bytes) / rate if rate else 0.0
        return (
            f"[{'#' * filled}{'.' * (WIDTH - filled)}] {part:4.0%}  "
            f"{result.checked} of {self._replicas} replicas  {rate / 1e6:.0f} MB/s  "
            f"{max(0.0, left) / 60:.0f} min left  {result.damaged} damaged "
        )

    def end(self) -> None:
        """Leave the line."""
        if self._is_shown:
            sys.stderr.write("\n")
