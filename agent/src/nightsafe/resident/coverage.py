"""What is not protected: folders of the user outside every job, and what the last runs left out."""

import os
from collections.abc import Iterable, Sequence

from nightsafe.amounts import show_count
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState


def uncovered_folders(jobs: Iterable[Job], folders: Sequence[str]) -> list[str]:
    """Return those of the folders that no job backs up, as far as its paths tell.

    A folder of which a job has only a part counts as uncovered; of a path that is a link only the
    link is backed up.
    """
    given = [raw for job in jobs for _, raw in job.raw_paths() if not os.path.islink(raw)]
    paths = [os.path.realpath(raw) for raw in given]
    return [
        folder
        for folder in folders
        if not any(_is_in(os.path.realpath(os.fsencode(folder)), path) for path in paths)
    ]


def missing_paths(job: Job) -> list[str]:
    """Return the job's paths that are not there now."""
    return [path for path, raw in job.raw_paths() if not os.path.lexists(raw)]


def linked_folders(job: Job) -> list[str]:
    """Return the job's paths that are links to folders, of which only the link is backed up."""
    return [path for path, raw in job.raw_paths() if os.path.islink(raw) and os.path.isdir(raw)]


def shrinkage(state: JobState) -> str:
    """Return in a sentence that a snapshot lacks most of what the one before held; or nothing."""
    if not state.files_before:
        return ""
    return (
        f"The last snapshot holds {show_count(state.files, 'file')}, and an earlier one held "
        f"{state.files_before}. If a disk was not there, or a folder was moved, set that right and "
        "run the job again; older snapshots keep what they have. If all is as it should be: "
        "nightsafe jobs accept"
    )


def _is_in(path: bytes, folder: bytes) -> bool:
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:  # another drive
        return False
