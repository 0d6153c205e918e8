"""All that is told of the agent and its jobs: gathered once, however it is shown."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nightsafe.assurance.record import DrillRecord, load_record
from nightsafe.errors import NightsafeError
from nightsafe.jobs import clock
from nightsafe.jobs.job_state import JobStates
from nightsafe.jobs.jobs_file import jobs_path, load_jobs
from nightsafe.jobs.pause import paused_until
from nightsafe.recovery.record import KitRecord, load_kit_record
from nightsafe.resident.coverage import uncovered_folders
from nightsafe.resident.status import JobStatus, is_agent_running, statuses
from nightsafe.settings.location import find_location
from nightsafe.setup.folders import suggested_folders


@dataclass(frozen=True)
class Overview:
    """`paused` is the end of a pause; `uncovered` are folders of the user that no job backs up."""

    now: datetime
    is_running: bool
    paused: datetime | None
    jobs: Sequence[JobStatus]
    uncovered: Sequence[str]
    drill: DrillRecord | None
    kit: KitRecord | None


def load_overview() -> Overview:
    """Return how things stand now. SettingsError if the file of jobs cannot be read."""
    states, jobs, now = JobStates(), load_jobs(jobs_path()), clock.now()
    found = statuses(jobs, states, now)
    return Overview(
        now=now,
        is_running=is_agent_running(states),
        paused=paused_until(now, states.folder),
        jobs=found,
        uncovered=uncovered_folders(jobs.sound.values(), suggested_folders()),
        drill=load_record(),
        kit=_kit_here(),
    )


def _kit_here() -> KitRecord | None:
    """Return what is known of a kit of the vault that is used here."""
    known = load_kit_record()
    try:
        location = find_location(None)
    except NightsafeError:
        return known
    here = location.url or os.path.abspath(location.folder)
    return known if known is not None and known.vault in (here, location.folder) else None
