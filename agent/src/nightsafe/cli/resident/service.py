"""`nightsafe service`: the agent that runs jobs by itself."""

import argparse
import os
import signal
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

from nightsafe.cli.format import printable
from nightsafe.cli.options import Verbs, add_group, add_verb
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from nightsafe.resident.systemd import Manager


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
    for name, what, text in (
        ("install", install, "have systemd start the agent, now and with the computer"),
        ("uninstall", uninstall, "have systemd stop the agent, and start it no more"),
        ("status", status, "show whether the agent runs, and who starts it"),
    ):
        parser = add_verb(
            acts,
            name,
            what,
            help=text,
            json='one object {"agent": "running" or "stopped", "unit", "installed", "systemd"}; '
            '"systemd" is its word for the unit, such as active, or empty',
        )
        parser.add_argument(
            "--system",
            action="store_true",
            help="for the whole computer, as root, instead of for this user",
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


def install(args: argparse.Namespace, output: Output) -> int:
    """Write a unit of systemd, and start it."""
    from nightsafe.resident.systemd import SECRET, Manager

    manager = Manager(args.system)
    manager.install()
    output.line(f"The agent is started by systemd from now on; the unit is {manager.path}.")
    for name in SECRET:
        if os.environ.get(name):
            output.note(
                f"Beware: {name} is not written into the unit, which others may read. Keep the "
                "passphrase in a file that only you can read (NIGHTSAFE_PASSWORD_FILE) and the "
                "credential by `nightsafe login`; then install again."
            )
    if not args.system:
        output.line(
            "It runs while you are signed in. To let it run without: loginctl enable-linger"
        )
    return _tell(manager, output)


def uninstall(args: argparse.Namespace, output: Output) -> int:
    """Stop the agent, and remove the unit."""
    from nightsafe.resident.systemd import Manager

    manager = Manager(args.system)
    manager.uninstall()
    output.line("The agent is stopped, and systemd starts it no more. The jobs stay written down.")
    return _tell(manager, output)


def status(args: argparse.Namespace, output: Output) -> int:
    """Show whether the agent runs."""
    from nightsafe.jobs.job_state import JobStates
    from nightsafe.resident.status import is_agent_running
    from nightsafe.resident.systemd import Manager

    manager = Manager(args.system)
    runs = is_agent_running(JobStates())
    output.line("The agent is running." if runs else "The agent is not running.")
    if os.path.lexists(manager.path):
        output.line(
            f"systemd starts it, by {manager.path}: {manager.state() or 'it does not say'}."
        )
    else:
        output.line("Nothing starts it by itself: `nightsafe service install` has systemd do so.")
    return _tell(manager, output)


def _tell(manager: "Manager", output: Output) -> int:
    from nightsafe.jobs.job_state import JobStates
    from nightsafe.resident.status import is_agent_running

    output.result(
        {
            "agent": "running" if is_agent_running(JobStates()) else "stopped",
            "unit": manager.path,
            "installed": os.path.lexists(manager.path),
            "systemd": manager.state(),
        }
    )
    return 0
