"""The resident agent's loop: look at the jobs, run what is due, wait."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime

from nightsafe.amounts import show_count
from nightsafe.errors import LockedError, NightsafeError, SettingsError
from nightsafe.jobs import clock
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState, JobStates
from nightsafe.jobs.jobs_file import Jobs, load_jobs
from nightsafe.jobs.locks import held
from nightsafe.jobs.pause import FOR_EVER, paused_until
from nightsafe.resident.conditions import obstacle
from nightsafe.resident.coverage import shrinkage
from nightsafe.resident.due import next_run
from nightsafe.resident.job_run import keep, run_job

_LONGEST_WAIT, _LONGEST_IN_TESTS = 20.0, 0.2
"""Seconds between two looks: a computer that slept, or whose clock was set, is found by then."""
ALREADY = "The agent is running already; `nightsafe status` tells what it does."
Say = Callable[[str], None]


class Resident:
    """Runs jobs one after the other until it is told to stop.

    What is wrong with one job, or with the file of jobs, is said once, and everything else goes on;
    a file that cannot be understood leaves the jobs as they were.
    """

    def __init__(self, path: str, states: JobStates, say: Say) -> None:
        """`path` is the file of jobs; `say` gets a line for people about what happens."""
        self._path, self._states, self._say = path, states, say
        self._jobs = Jobs({}, {})
        self._seen: tuple[int, int] | None = None
        self._said: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._paused: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Run jobs until the event is set. Raises LockedError if another agent does already."""
        with held(self._states.agent_lock_path, ALREADY):
            self._say("The agent is running.")
            while not stop.is_set():
                wait = self.step(stop)
                if not stop.is_set() and wait > 0:
                    stop.wait(wait)
            self._say("The agent has stopped.")

    def step(self, stop: threading.Event) -> float:
        """Run the job that has been due longest, if any; return how many seconds nothing is."""
        longest = _LONGEST_IN_TESTS if clock.can_be_moved() else _LONGEST_WAIT
        self._load()
        now = clock.now()
        if self._is_paused(now):
            return longest
        due = sorted(self._due(now), key=lambda one: one[0])
        for moment, job in due:
            if moment > now:
                return min((moment - now).total_seconds(), longest)
            if why := obstacle(job):
                if job.name not in self._waiting:
                    self._waiting.add(job.name)
                    self._say(f"{job.name}: it is due, and waits: {why}.")
                continue
            self._waiting.discard(job.name)
            if self._run(job, stop):
                return 0.0
        return longest

    def _is_paused(self, now: datetime) -> bool:
        """Return whether the agent is paused, and say when that begins and ends."""
        until = paused_until(now, self._states.folder)
        if until != self._paused:
            self._paused = until
            if until is None:
                self._say("The pause is over.")
            else:
                at = (
                    "it is resumed" if until == FOR_EVER else f"{until.astimezone():%Y-%m-%d %H:%M}"
                )
                self._say(f"The agent is paused until {at}.")
        return until is not None

    def _due(self, now: datetime) -> Iterator[tuple[datetime, Job]]:
        for job in self._jobs.sound.values():
            try:
                state = self._states.load(job.name)
                moment = next_run(job, state or self._met(job, now), now)
            except NightsafeError as error:
                self._tell(job.name, str(error))
                continue
            if moment is not None:
                yield moment, job

    def _met(self, job: Job, now: datetime) -> JobState:
        """Return the state of a job that somebody has written into the file."""
        state = JobState(added=now)
        keep(self._states, job.name, state, lambda text: self._tell(job.name, text))
        return state

    def _run(self, job: Job, stop: threading.Event) -> bool:
        """Run a job; return whether it ran."""
        try:
            state = run_job(
                job,
                self._states,
                _StopOrPause(stop, self._states.folder),
                begun=lambda: self._say(f"{job.name}: the backup begins."),
                tell=lambda line: self._say(f"{job.name}: {line}"),
            )
        except LockedError:  # by hand, or by an agent that was killed
            return False
        except SettingsError as error:
            self._tell(job.name, str(error))
            return False
        self._said.pop(job.name, None)
        self._say(f"{job.name}: {summary(state)}")
        return True

    def _load(self) -> None:
        try:
            status = os.stat(self._path)
            seen = status.st_mtime_ns, status.st_size
        except OSError:
            seen = None
        if seen is not None and seen == self._seen:
            return
        before = self._jobs.sound
        try:
            self._jobs = load_jobs(self._path)
        except SettingsError as error:
            self._tell("", f"{error} The jobs stay as they were.")
            return
        self._seen = seen
        if self._jobs.sound or self._jobs.invalid:
            self._said.pop("", None)
        elif before:  # perhaps its folder is not mounted
            self._tell("", f"{self._path} is gone, or names no job any more: nothing runs.")
        for name, text in self._jobs.invalid.items():
            self._tell(name, f"it does not run: {text}")

    def _tell(self, about: str, text: str) -> None:
        """Say something about a job, or about the file, unless it was the last thing said."""
        if self._said.get(about) != text:
            self._said[about] = text
            self._say(f"{about}: {text}" if about else text)


class _StopOrPause:
    """Set when the agent shall stop, and while it is paused."""

    def __init__(self, stop: threading.Event, folder: str) -> None:
        self._stop, self._folder = stop, folder

    def is_set(self) -> bool:
        return self._stop.is_set() or paused_until(clock.now(), self._folder) is not None


def summary(state: JobState) -> str:
    """Return how a run ended, in words."""
    match state.outcome:
        case "complete":
            said = f"the backup is complete, snapshot {state.snapshot[:8]}."
            return f"{said} {shrinkage(state)}".rstrip()
        case "incomplete":
            said = (
                f"the backup is INCOMPLETE, snapshot {state.snapshot[:8]}: "
                f"{show_count(state.unread, 'path')} could not be read."
            )
            return f"{said} {shrinkage(state)}".rstrip()
        case "interrupted":
            return "the backup was broken off; what was stored is used by the next run."
        case _:
            return f"the backup FAILED: {state.error}"
