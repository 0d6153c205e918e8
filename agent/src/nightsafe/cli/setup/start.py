"""The last steps of a set-up: who runs the backups from now on, and the first one."""

import os
import shutil
import sys

from nightsafe.cli.setup.context import Context
from nightsafe.jobs.job import Job


def install_service(context: Context) -> None:
    """Have systemd start the agent, if it is wanted; where there is none, say what else will do."""
    from nightsafe.errors import SettingsError
    from nightsafe.resident.systemd import Manager

    if sys.platform != "linux" or shutil.which("systemctl") is None:
        context.output.note(
            "There is no systemd here, so have `nightsafe service run` started by whatever starts "
            "programs on this computer. Until then no backup runs by itself."
        )
        return
    if not context.wants(
        context.given.service if context.given else None,
        "Let the agent start with the computer and back up by itself?",
    ):
        context.output.note(
            "No backup runs by itself until `nightsafe service install` or `nightsafe service run`."
        )
        return
    try:
        Manager(is_system=_is_root()).install()
    except SettingsError as error:
        context.output.note(f"The agent was not installed. {error}")
        return
    context.done["service"] = "installed"
    context.output.line(
        "The agent runs from now on, and starts with the computer."
        if _is_root()
        else "The agent runs from now on, while you are signed in. To let it run without: loginctl "
        "enable-linger"
    )


def back_up(context: Context, job: Job) -> int:
    """Run the job a first time, if it has made no snapshot yet; return the exit status."""
    from nightsafe.cli.resident.foreground import exit_status, run_in_foreground
    from nightsafe.errors import LockedError
    from nightsafe.jobs.job_state import JobStates

    state = JobStates().load(job.name)
    if state is not None and state.saved is not None:
        return 0
    if not context.wants(
        context.given.first_backup if context.given else None,
        "Begin the first backup now? It may take hours, and may be broken off: the next run goes "
        "on from there.",
    ):
        return 0
    try:
        ended = run_in_foreground(job, context.args, context.output)
    except LockedError:
        context.output.line(f"{job.name} runs already, in the background.")
        context.done["first_backup"] = "running"
        return 0
    context.done["first_backup"] = ended.outcome
    return exit_status(ended)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
