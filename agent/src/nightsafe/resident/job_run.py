"""One run of a job: `nightsafe backup` in a process of its own, which yields to everything else.

The job's lock is held by that process too: should the resident agent be killed, the backup goes on,
and nobody begins another one of this job beside it.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nightsafe.errors import SettingsError
from nightsafe.fs.files import IS_WINDOWS
from nightsafe.jobs import clock
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState, JobStates, Outcome
from nightsafe.jobs.locks import held, is_held

_NICENESS = 10
_LONGEST = 1 << 16  # characters of a line that is looked at
_INTERRUPTED = 130  # the command's exit status
_OUTCOMES: Mapping[int, Outcome] = {0: "complete", 3: "incomplete", _INTERRUPTED: "interrupted"}
Tell = Callable[[str], None]


@dataclass
class _Told:
    """What the process has said in its events."""

    snapshot: str = ""
    error: str = ""
    unread: int = 0

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
            case "error":
                self.error = str(event.get("message") or "")
            case "issue" if event.get("kind") != "notice":
                self.unread += 1


def run_job(
    job: Job,
    states: JobStates,
    stop: threading.Event,
    *,
    begun: Callable[[], None] = lambda: None,
    tell: Tell = lambda line: None,
) -> JobState:
    """Run a job, keep what became of it, and return that.

    `stop` breaks it off, as a shutdown does; `begun` is called as it begins, and `tell` with each
    line that the process says to people. Raises LockedError if it runs already, SettingsError if
    there can be no lock.
    """
    with held(states.lock_path(job.name), f"{job.name} is running already.") as lock:
        state = (states.load(job.name) or JobState(added=clock.now())).begun(clock.now())
        keep(states, job.name, state, tell)
        begun()
        outcome, told = _backup(job, lock, stop, tell)
        state = state.ended(
            clock.now(), outcome, snapshot=told.snapshot, unread=told.unread, error=told.error
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


def _backup(job: Job, lock: int, stop: threading.Event, tell: Tell) -> tuple[Outcome, _Told]:
    # Without -P modules in the folder that the agent was started in would be taken for its own.
    command = [sys.executable, "-P", "-m", "nightsafe", "backup", "--json", *job.arguments()]
    shared: dict[str, Any] = {} if IS_WINDOWS else {"pass_fds": (lock,)}
    told = _Told()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        **shared,
    ) as process:
        _be_nice(process.pid)
        readers = [
            threading.Thread(target=_read, args=(process.stdout, told.take)),
            threading.Thread(target=_read, args=(process.stderr, tell)),
        ]
        for reader in readers:
            reader.start()
        is_broken_off = _wait(process, stop)
        for reader in readers:
            reader.join()
    if told.snapshot:
        told.error = ""
    elif is_broken_off:  # perhaps before it could say so itself
        return "interrupted", told
    elif not told.error:
        told.error = f"The backup ended with status {process.returncode}."
    if not told.snapshot and process.returncode != _INTERRUPTED:
        return "failed", told
    return _OUTCOMES.get(process.returncode, "failed"), told


def _read(stream: Any, take: Callable[[str], None]) -> None:
    for line in stream:
        take(line.rstrip("\n"))


def _wait(process: "subprocess.Popen[str]", stop: threading.Event) -> bool:
    """Wait until a process has ended; return whether it was told to."""
    ended = threading.Event()

    def watch() -> None:
        process.wait()
        ended.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    while not ended.wait(0.2):
        if stop.is_set():
            process.terminate()
            watcher.join()
            return True
    watcher.join()
    return False


def _be_nice(pid: int) -> None:
    """Let the process, which has one thread yet, and all that it starts, yield to others."""
    with contextlib.suppress(OSError, AttributeError):  # it has ended; Windows has no such call
        os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
