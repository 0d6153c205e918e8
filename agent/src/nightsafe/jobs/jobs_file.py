"""The file of jobs: read whole or job by job, and changed with people's comments kept.

[jobs.documents]
paths = ["/home/anna/Documents"]
schedule = "daily 02:30"
exclude = ["*.tmp"]
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nightsafe.errors import SettingsError, UsageError
from nightsafe.fs.durability import replace_file
from nightsafe.fs.file_locks import lock_file
from nightsafe.jobs.job import Job, job_of
from nightsafe.settings.login import NOWHERE, config_dir
from nightsafe.settings.toml_file import parse_toml, read_text

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_MOST = 100  # jobs


@dataclass(frozen=True)
class Jobs:
    """The jobs that can run, in the file's order, and of the others why they cannot."""

    sound: Mapping[str, Job]
    invalid: Mapping[str, str]


def jobs_path(environ: Mapping[str, str] = os.environ) -> str:
    """Return where the jobs stand."""
    return os.path.join(config_dir(environ), "jobs.toml")


def load_jobs(path: str) -> Jobs:
    """Read the file; there are no jobs where there is none.

    Raises SettingsError where it is not TOML or cannot be read; a job in it that is wrong is no
    error, so that the others go on.
    """
    return _jobs_of(path, _read(path))


def add_job(path: str, job: Job) -> None:
    """Write a job into the file. Raises UsageError if there is one of its name, SettingsError."""
    with _changed(path) as document:
        jobs = _table(document)
        if job.name in jobs:
            raise UsageError(
                f"There is a job {job.name} already; remove it first, or edit it in {path}."
            )
        if len(jobs) >= _MOST:
            raise UsageError(f"There are {_MOST} jobs, and no more can be.")
        jobs[job.name] = job.fields()


def remove_job(path: str, name: str) -> None:
    """Take a job out of the file. Raises UsageError if there is none, SettingsError."""
    with _changed(path) as document:
        jobs = _table(document)
        if name not in jobs:
            raise UsageError(
                f"There is no job {name!a}; `nightsafe jobs list` names those there are."
            )
        del jobs[name]


def _jobs_of(path: str, text: str) -> Jobs:
    read = parse_toml(path, text)
    unknown = [key for key in read if key != "jobs"]
    if unknown or not isinstance(read.get("jobs", {}), dict):
        key = unknown[0] if unknown else "jobs"
        raise SettingsError(f"{path}: {key[:80]!a} is not known there; jobs are [jobs.NAME].")
    sound: dict[str, Job] = {}
    invalid: dict[str, str] = {}
    for number, (name, fields) in enumerate(read.get("jobs", {}).items(), 1):
        try:
            if number > _MOST:
                raise SettingsError(f"job {name[:80]!a} is beyond the {_MOST} that there can be.")
            sound[name] = job_of(name, fields)
        except SettingsError as error:
            invalid[name] = f"{path}: {error}"
    return Jobs(sound, invalid)


def _read(path: str) -> str:
    """Return the file's text, an empty one where there is none."""
    try:
        return read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""


@contextlib.contextmanager
def _changed(path: str) -> Iterator["TOMLDocument"]:
    """Let the file be changed in a `with` block by nobody else; it is replaced at once after it."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    if path.startswith(NOWHERE):
        raise SettingsError(
            "This user has no home folder, so no job can be kept. Set NIGHTSAFE_CONFIG_DIR to a "
            "folder for them."
        )
    path = os.path.realpath(path)  # it may be a link into a folder of settings
    with _locked(path):
        text = _read(path)
        _jobs_of(path, text)
        try:
            document = tomlkit.parse(text)
        except TOMLKitError as error:  # Python's own reader took it, so this is not expected
            raise SettingsError(f"{path} cannot be understood: {error}.") from None
        yield document
        new = tomlkit.dumps(document)
        _jobs_of(path, new)
        try:
            replace_file(path, new)
        except OSError as error:
            raise _unwritable(path, error) from error


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with contextlib.suppress(OSError):  # locks are a courtesy where there are none
            lock_file(fd, wait=True)
        yield
    finally:
        os.close(fd)


def _unwritable(path: str, error: OSError) -> SettingsError:
    return SettingsError(f"{path} cannot be written: {error.strerror}; nothing was changed.")


def _table(document: "TOMLDocument") -> Any:
    if "jobs" not in document:
        import tomlkit

        document["jobs"] = tomlkit.table(is_super_table=True)
    return document["jobs"]
