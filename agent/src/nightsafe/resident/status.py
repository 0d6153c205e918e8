"""What the agent and its jobs are doing: the same facts for people, programs and pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nightsafe.errors import NightsafeError
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState, JobStates
from nightsafe.jobs.jobs_file import Jobs
from nightsafe.jobs.locks import is_held
from nightsafe.resident.conditions import obstacle
from nightsafe.resident.coverage import linked_folders, missing_paths
from nightsafe.resident.due import count_missed, next_run
from nightsafe.resident.job_run import is_running


@dataclass(frozen=True)
class JobStatus:
    """One job. `word` is never, running, complete, incomplete, failed, interrupted or invalid.

    `error` says what is wrong, if something is. `next` is None for a job that nobody will begin by
    itself. `missed` counts its times since the last run. `waits` says what a job that is due waits
    for. `missing` are its paths that are not there now, `links` those that lead to a folder which
    is therefore not backed up.
    """

    name: str
    word: str
    state: JobState
    next: datetime | None = None
    missed: int = 0
    error: str = ""
    waits: str = ""
    missing: Sequence[str] = ()
    links: Sequence[str] = ()


def is_agent_running(states: JobStates) -> bool:
    """Return whether this user's resident agent runs."""
    return is_held(states.agent_lock_path)


def statuses(jobs: Jobs, states: JobStates, now: datetime) -> list[JobStatus]:
    """Return the status of every job, the invalid ones last."""
    found = [_status(job, states, now) for job in jobs.sound.values()]
    found += [
        JobStatus(name, "invalid", JobState(), error=text) for name, text in jobs.invalid.items()
    ]
    return found


def _status(job: Job, states: JobStates, now: datetime) -> JobStatus:
    try:
        state = states.load(job.name)
    except NightsafeError as error:
        return JobStatus(job.name, "invalid", JobState(), error=str(error))
    known = state or JobState(added=now)
    due = next_run(job, known, now)
    word = _word(known, is_running=is_running(states, job.name))
    is_due = due is not None and due <= now and word != "running"
    return JobStatus(
        job.name,
        word,
        known,
        next=due,
        missed=count_missed(job, known, now),
        error=known.error,
        waits=obstacle(job) if is_due else "",
        missing=missing_paths(job),
        links=linked_folders(job),
    )


def _word(state: JobState, *, is_running: bool) -> str:
    if is_running:
        return "running"
    if state.started is None:
        return "never"
    return state.outcome or "interrupted"
