"""`nightsafe service`: the agent that runs jobs by itself."""

import argparse
import signal
import threading
import time
from types import FrameType

from nightsafe.cli.format import printable
from nightsafe.cli.options import Verbs, add_group, add_verb
from nightsafe.cli.output import Output


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    acts = add_group(verbs, "service", help="run the jobs by themselves, when they are due")
    add_verb(
        acts,
        "run",
        run,
        help="run jobs when they are due, in the foreground, until it is stopped",
        json='lines of events: {"event": "log", "at", "text"}',
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Run jobs until a signal says to stop; a backup that goes on is broken off then."""
    from nightsafe.jobs.job_state import JobStates
    from nightsafe.jobs.jobs_file import jobs_path
    from nightsafe.resident.agent import Resident

    stop = threading.Event()

    def finish(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, finish)

    def say(text: str) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        output.line(printable(f"{at} {text}"))
        output.result({"event": "log", "at": at, "text": text})

    Resident(jobs_path(), JobStates(), say).run(stop)
    return 0
