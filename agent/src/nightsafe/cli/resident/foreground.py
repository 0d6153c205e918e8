"""Runs a job at once while somebody watches: how far it is, and how it ended."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from nightsafe.cli.format import progress_words
from nightsafe.cli.options import common_options
from nightsafe.cli.output import PLAIN_SECONDS, Output
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState

_EXIT = {"complete": 0, "incomplete": 3, "interrupted": 130}
_CLEAR = "\r\x1b[K"


def run_in_foreground(job: Job, args: argparse.Namespace, output: Output) -> JobState:
    """Run a job until it has ended, with the common options that were given.

    Ctrl-C breaks it off. Raises LockedError if it runs already.
    """
    from nightsafe.jobs.job_state import JobStates
    from nightsafe.resident.agent import summary
    from nightsafe.resident.job_run import run_job

    stop = threading.Event()

    def break_off(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, break_off)
    shown = _Progress(output)
    state = run_job(
        job,
        JobStates(),
        stop,
        begun=lambda: output.line(f"{job.name}: the backup begins."),
        tell=shown.note,
        progress=shown.show,
        options=common_options(args),
    )
    shown.end()
    output.line(f"{job.name}: {summary(state)}")
    return state


def exit_status(state: JobState) -> int:
    """Return the exit status for how a run ended."""
    return _EXIT.get(state.outcome, 1)


class _Progress:
    """One line at a terminal that is written over, or a line now and then."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._draws = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._next = time.monotonic() + PLAIN_SECONDS
        self._is_drawn = False

    def show(self, fields: Mapping[str, Any]) -> None:
        """Show how far the backup is."""
        if not self._output.progress or self._output.as_json:
            return
        if self._draws:
            print(f"{_CLEAR}{progress_words(fields)}", end="", file=sys.stderr, flush=True)  # noqa: T201
            self._is_drawn = True
        elif time.monotonic() >= self._next:
            self._output.note(progress_words(fields))
            self._next = time.monotonic() + PLAIN_SECONDS

    def note(self, text: str) -> None:
        """Say something else."""
        self.end()
        self._output.note(text)

    def end(self) -> None:
        """Take the line away."""
        if self._is_drawn:
            print(_CLEAR, end="", file=sys.stderr, flush=True)  # noqa: T201
            self._is_drawn = False
