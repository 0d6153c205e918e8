"""One run of a job: its commands, and `nightsafe backup` in a process of its own between them.

The job's lock is held by that process too: should the resident agent be killed, the backup goes on,
and nobody begins another one of this job beside it.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nightsafe.errors import SettingsError
from nightsafe.fs.files import IS_WINDOWS
from nightsafe.jobs import clock
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState, JobStates, Outcome
from nightsafe.jobs.locks import held, is_held
from nightsafe.resident.child import Stop, run_child
from nightsafe.resident.systemd import SECRET

_NAMED = 20  # paths that could not be read
_LONGEST = 1 << 16  # characters of a line that is looked at
_INTERRUPTED = 130  # the command's exit status
_AFTER, _AFTER_STOP = 3600.0, 60.0  # seconds that what comes after a backup may take
_OUTCOMES: Mapping[int, Outcome] = {0: "complete", 3: "incomplete", _INTERRUPTED: "interrupted"}
Tell = Callable[[str], None]
Progress = Callable[[Mapping[str, Any]], None]
"""Gets the fields of a backup's event of progress, about once a second."""


@dataclass
class _Told:
    """What the process has said in its events."""

    snapshot: str = ""
    error: str = ""
    unread: int = 0
    unread_paths: list[str] = field(default_factory=list)
    files: int = 0
    progress: Progress = lambda fields: None

    def take(self, line: str) -> None:
        """Take in one event; what is none is left alone."""
        try:
            event = json.loads(line[:_LONGEST])
        except ValueError:
            return
        if not isinstance(event, dict):
            return
        match event.get("event"):
            case "summary":
                self.snapshot = str(event.get("snapshot_id") or "")
                counts = (event.get(f"files_{kind}") for kind in ("new", "changed", "unchanged"))
                self.files = sum(count for count in counts if isinstance(count, int))
            case "error":
                self.error = str(event.get("message") or "")
            case "progress":
                self.progress(event)
            case "issue" if event.get("kind") != "notice":
                self.unread += 1
                if len(self.unread_paths) < _NAMED:
                    self.unread_paths.append(str(event.get("path") or ""))


def run_job(
    job: Job,
    states: JobStates,
    stop: Stop,
    *,
    begun: Callable[[], None] = lambda: None,
    tell: Tell = lambda line: None,
    progress: Progress = lambda fields: None,
    options: Sequence[str] = (),
) -> JobState:
    """Run a job, keep what became of it, and return that.

    `stop` breaks it off, as a shutdown does; `begun` is called as it begins, `tell` with each line
    that the process says to people, `progress` with how far it is. `options` are those of the
    command line. Raises LockedError if it runs already, SettingsError if there can be no lock.
    """
    with held(states.lock_path(job.name), f"{job.name} is running already.") as lock:
        state = (states.load(job.name) or JobState(added=clock.now())).begun(clock.now())
        keep(states, job.name, state, tell)
        begun()
        outcome, told = _with_hooks(job, lock, stop, tell, progress, options)
        state = state.ended(
            clock.now(),
            outcome,
            snapshot=told.snapshot,
            unread=told.unread,
            error=told.error,
            files=told.files,
            unread_paths=told.unread_paths,
        )
        keep(states, job.name, state, tell)
        return state


def is_running(states: JobStates, name: str) -> bool:
    """Return whether a run of the job goes on."""
    return is_held(states.lock_path(name))


def keep(states: JobStates, name: str, state: JobState, tell: Tell) -> None:
    """Keep a job's state, or say why it cannot be kept; the run goes on."""
    try:
        states.save(name, state)
    except SettingsError as error:
        tell(str(error))


def _with_hooks(
    job: Job,
    lock: int,
    stop: Stop,
    tell: Tell,
    progress: Progress,
    options: Sequence[str],
) -> tuple[Outcome, _Told]:
    """Run what the job has before and after the backup; without the first there is none."""
    until = time.monotonic() + job.seconds if job.seconds else 0.0
    told = _Told()
    outcome: Outcome = "complete"
    if job.before:
        outcome, told.error = _hook("before", job, stop, tell, until)
    if outcome == "complete":
        told = _Told(progress=progress)
        outcome = _backup(told, [*options, *job.arguments()], lock, stop, tell, until)
    if job.after:
        about = {"NIGHTSAFE_OUTCOME": outcome, "NIGHTSAFE_SNAPSHOT": told.snapshot}
        is_stopped = stop.is_set()  # then it is given a while all the same
        until = _until(_AFTER_STOP if is_stopped else _AFTER)
        _, error = _hook(
            "after", job, threading.Event() if is_stopped else stop, tell, until, about
        )
        if error:
            tell(error)
    return outcome, told


def _hook(
    name: str,
    job: Job,
    stop: Stop,
    tell: Tell,
    until: float,
    about: Mapping[str, str] | None = None,
) -> tuple[Outcome, str]:
    """Run a command of the job's by the shell; return how it ended, and why not well."""
    command = job.before if name == "before" else job.after
    shell = ["cmd", "/c", command] if IS_WINDOWS else ["/bin/sh", "-c", command]
    environ = {name: value for name, value in os.environ.items() if name not in SECRET}
    environ |= {"NIGHTSAFE_JOB": job.name, **(about or {})}
    try:
        ended = run_child(shell, stop, seconds=_left(until), out=tell, err=tell, environ=environ)
    except OSError as error:
        return "failed", f"The command {name} the backup cannot be run: {error.strerror}."
    if ended.was_stopped:
        return "interrupted", ""
    if ended.was_late:
        return "failed", f"The command {name} the backup took too long, and was ended."
    if ended.status:
        return "failed", f"The command {name} the backup ended with status {ended.status}."
    return "complete", ""


def _backup(
    told: _Told, arguments: Sequence[str], lock: int, stop: Stop, tell: Tell, until: float
) -> Outcome:
    # Without -P modules in the folder that the agent was started in would be taken for its own.
    command = [sys.executable, "-P", "-m", "nightsafe", "backup", "--json", *arguments]
    ended = run_child(command, stop, seconds=_left(until), out=told.take, err=tell, kept=(lock,))
    if told.snapshot:
        told.error = ""
    elif ended.was_stopped:  # perhaps before it could say so itself
        return "interrupted"
    elif ended.was_late:
        told.error = "It took longer than the job's timeout, and was ended."
        return "failed"
    elif not told.error:
        told.error = f"The backup ended with status {ended.status}."
    if not told.snapshot and ended.status != _INTERRUPTED:
        return "failed"
    return _OUTCOMES.get(ended.status, "failed")


def _until(seconds: float) -> float:
    return time.monotonic() + seconds


def _left(until: float) -> float:
    """Return the seconds that are left, some at least; 0 for no end."""
    return max(until - time.monotonic(), 0.1) if until else 0.0
