"""What is remembered of a job between its runs: one small file for each, replaced at once.

It decides when the job runs next, so what is damaged is put aside, and never taken for a job that
ran: it runs again.
"""

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from nightsafe.errors import SettingsError
from nightsafe.fs.durability import read_file, replace_file
from nightsafe.jobs.job import check_name
from nightsafe.settings.login import state_dir

Outcome = Literal["", "complete", "incomplete", "failed", "interrupted"]
_OUTCOMES = ("", "complete", "incomplete", "failed", "interrupted")
_LARGEST, _LONGEST = 64 << 10, 500  # bytes of a file, characters of a text
_FEW = 20  # files, of which it means nothing that half are gone
_NAMED = 20  # paths that could not be read
_SNAPSHOT = re.compile("[0-9a-f]{64}|", re.ASCII)


@dataclass(frozen=True)
class JobState:
    """Moments are aware, in UTC; None for what never was.

    `added`: when it was written down, from which the first run is counted. `started`: when the last
    run began, from which the next is counted. `finished`: when it ended; None while it goes on.
    `saved`: when the last run began that made a snapshot. `failures`: how many runs in a row made
    none. `error`: why the last one failed, in words. `files`: how many the last snapshot holds;
    `files_before`: how many an earlier one held, where more than half are missing now, else 0.
    `unread`: how many paths the last snapshot lacks, of which `unread_paths` names some.
    """

    added: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    saved: datetime | None = None
    outcome: Outcome = ""
    snapshot: str = ""
    unread: int = 0
    failures: int = 0
    error: str = ""
    files: int = 0
    files_before: int = 0
    unread_paths: tuple[str, ...] = ()

    def begun(self, now: datetime) -> "JobState":
        """Return it as a run begins."""
        return replace(self, started=now, finished=None, outcome="", error="")

    def ended(
        self,
        now: datetime,
        outcome: Outcome,
        *,
        snapshot: str = "",
        unread: int = 0,
        error: str = "",
        files: int = 0,
        unread_paths: Sequence[str] = (),
    ) -> "JobState":
        """Return it as that run has ended; one that made a snapshot has its name."""
        over = replace(self, finished=now, outcome=outcome, error=error[:_LONGEST])
        if not snapshot:
            return replace(over, failures=self.failures + 1)
        whole = self.files_before or self.files  # until the files are back, or it is accepted
        is_shrunk = whole >= _FEW and files < whole / 2
        return replace(
            over,
            saved=self.started,
            snapshot=snapshot,
            unread=unread,
            failures=0,
            files=files,
            files_before=whole if is_shrunk else 0,
            unread_paths=tuple(path[:_LONGEST] for path in unread_paths[:_NAMED]),
        )


class JobStates:
    """The folder with the states of all jobs."""

    def __init__(self, folder: str = "") -> None:
        """By default the user's own: NIGHTSAFE_STATE_DIR, or where the platform keeps such."""
        self._top = folder or state_dir()
        self._folder = os.path.join(self._top, "jobs")
        self._unkept: dict[str, JobState] = {}

    def load(self, name: str) -> JobState | None:
        """Return a job's state; None where there is none.

        In place of a damaged one, which is kept beside the next, it is that of a job that was never
        added, whose first run is due. Raises SettingsError where it cannot be read.
        """
        if name in self._unkept:
            return self._unkept[name]
        path = self._path(name)
        try:
            raw = read_file(path, _LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
        try:
            return _state(json.loads(raw[:_LARGEST]))
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            with contextlib.suppress(OSError):
                os.replace(path, f"{path}.damaged")
            return JobState()

    def save(self, name: str, state: JobState) -> None:
        """Replace a job's state.

        Raises SettingsError where it cannot be written; this object remembers it all the same, so
        that a full disk makes nobody begin a run again and again.
        """
        path = self._path(name)
        self._unkept[name] = state
        try:
            replace_file(path, json.dumps(_fields(state)))
            del self._unkept[name]
        except OSError as error:
            raise SettingsError(
                f"What became of job {name} cannot be kept in {path}: {error.strerror}."
            ) from error

    def remove(self, name: str) -> None:
        """Forget a job, so that one of its name begins anew."""
        self._unkept.pop(name, None)
        with contextlib.suppress(OSError):
            os.unlink(self._path(name))

    def lock_path(self, name: str) -> str:
        """Return the path of the lock that a run of the job holds."""
        return f"{self._path(name)}.lock"

    @property
    def folder(self) -> str:
        """The folder of what is remembered between runs."""
        return self._top

    @property
    def agent_lock_path(self) -> str:
        """The path of the lock that the resident agent holds."""
        return os.path.join(self._top, "agent.lock")

    def _path(self, name: str) -> str:
        check_name(name)
        return os.path.join(self._folder, f"{name}.json")


def _fields(state: JobState) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(state).items()
    }


def _state(fields: Mapping[str, Any]) -> JobState:
    """Read a state. Raises ValueError, TypeError or KeyError for what is none."""
    outcome, snapshot = fields["outcome"], fields["snapshot"]
    unread, failures, error = fields["unread"], fields["failures"], fields["error"]
    if outcome not in _OUTCOMES or not isinstance(error, str) or not _SNAPSHOT.fullmatch(snapshot):
        raise ValueError
    # What an earlier version has written lacks these.
    files, before = fields.get("files", 0), fields.get("files_before", 0)
    paths = fields.get("unread_paths", [])
    if any(type(one) is not int or one < 0 for one in (unread, failures, files, before)):
        raise ValueError
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ValueError
    return JobState(
        **{name: _moment(fields[name]) for name in ("added", "started", "finished", "saved")},
        outcome=outcome,
        snapshot=snapshot,
        unread=unread,
        failures=failures,
        error=error[:_LONGEST],
        files=files,
        files_before=before,
        unread_paths=tuple(path[:_LONGEST] for path in paths[:_NAMED]),
    )


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or not 1970 <= found.year < 3000:
        raise ValueError
    return found.astimezone(UTC)
