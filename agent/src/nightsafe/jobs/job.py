"""One job: which paths are backed up, by which schedule, and what is left out."""

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from typing import Any

from nightsafe.amounts import parse_size
from nightsafe.backend.throttle import parse_limit
from nightsafe.errors import SettingsError, UsageError
from nightsafe.schedule.parsing import Schedule, parse_schedule, parse_span
from nightsafe.schedule.plan import Plan
from nightsafe.schedule.wall_clock import find_zone, local_zone
from nightsafe.schedule.windows import OpenHours, parse_window

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MOST = 1000  # paths or patterns of a job
_LONGEST = 4096  # characters of one


def check_name(name: str) -> None:
    """Raise UsageError unless a job may be called so."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!a} is no name for a job: letters, digits, dots, dashes and underscores, "
            "64 at most, a letter or digit first."
        )


@dataclass(frozen=True)
class Job:
    """A job as it stands in the file. `zone` is empty for the computer's own."""

    name: str
    paths: tuple[str, ...]
    schedule: str
    zone: str = ""
    windows: tuple[str, ...] = ()
    blackouts: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    exclude_larger_than: str = ""
    exclude_caches: bool = False
    one_file_system: bool = False
    tags: tuple[str, ...] = ()
    on_mains: bool = False
    battery_above: int = 0  # percent
    load_below: float = 0.0
    before: str = ""  # a command of the shell
    after: str = ""
    timeout: str = ""
    limit_upload: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise UsageError for what could not run."""
        check_name(self.name)
        for key, texts in self._texts():
            _check_texts(key, texts)
        if not self.paths:
            raise UsageError("paths: name at least one file or folder.")
        for path in self.paths:
            if not os.path.isabs(path):
                raise UsageError(f"paths: {path!a} has to be absolute, such as /home/anna/letters.")
        if self.exclude_larger_than:
            self._named("exclude_larger_than", lambda: parse_size(self.exclude_larger_than))
        self._named("schedule", lambda: self.parsed_schedule)
        if self.parsed_schedule.is_continuous:
            raise UsageError("schedule: no job can run continuously yet; take 'every 5m'.")
        if self.zone:
            self._named("zone", lambda: find_zone(self.zone))
        self._named("window", lambda: self._hours)
        self._named("timeout", lambda: self.seconds)
        for limit in self.limit_upload:
            self._named("limit_upload", lambda limit=limit: parse_limit(limit))  # type: ignore[misc]
        if not 0 <= self.battery_above <= 99:
            raise UsageError("battery_above has to be a number from 1 to 99, in percent.")
        if not 0 <= self.load_below <= 1000:
            raise UsageError("load_below has to be a number up to 1000.")

    def _texts(self) -> Iterator[tuple[str, Sequence[str]]]:
        for key, field in _LISTS.items():
            yield key, getattr(self, field)
        for key in _TEXTS:
            yield key, (getattr(self, key) or "-",)

    @cached_property
    def parsed_schedule(self) -> Schedule:
        """When it runs."""
        return parse_schedule(self.schedule)

    @cached_property
    def _hours(self) -> OpenHours:
        windows, blackouts = map(parse_window, self.windows), map(parse_window, self.blackouts)
        return OpenHours(list(windows), list(blackouts))

    @property
    def plan(self) -> Plan:
        """When it runs, in its time zone; the computer's may have changed since the last time."""
        return Plan(self.parsed_schedule, self._zone(), self._hours)

    @property
    def seconds(self) -> int:
        """How long a run may take, 0 for as long as it likes."""
        return parse_span(self.timeout) if self.timeout else 0

    def _zone(self) -> tzinfo:
        return find_zone(self.zone) if self.zone else local_zone()

    def _named(self, field: str, check: Callable[[], object]) -> None:
        try:
            check()
        except UsageError as error:
            raise UsageError(f"{field}: {error}") from None

    def fields(self) -> dict[str, Any]:
        """Return what stands in the file: what is not as it is by itself."""
        told = {
            "paths": list(self.paths),
            "schedule": self.schedule,
            "zone": self.zone,
            "window": list(self.windows),
            "blackout": list(self.blackouts),
            "exclude": list(self.excludes),
            "exclude_larger_than": self.exclude_larger_than,
            "exclude_caches": self.exclude_caches,
            "one_file_system": self.one_file_system,
            "tags": list(self.tags),
            "on_mains": self.on_mains,
            "battery_above": self.battery_above,
            "load_below": self.load_below,
            "before": self.before,
            "after": self.after,
            "timeout": self.timeout,
            "limit_upload": list(self.limit_upload),
        }
        return {name: value for name, value in told.items() if value}

    def raw_paths(self) -> list[tuple[str, bytes]]:
        """Return the paths, and each as the system has it: in UTF-8, whatever the locale."""
        return [(path, path.encode("utf-8", "surrogateescape")) for path in self.paths]

    def arguments(self) -> list[str]:
        """Return what `nightsafe backup` is called with."""
        told = [f"--limit-upload={limit}" for limit in self.limit_upload]
        told += [f"--exclude={pattern}" for pattern in self.excludes]
        told += [f"--tag={tag}" for tag in self.tags]
        if self.exclude_larger_than:
            told.append(f"--exclude-larger-than={self.exclude_larger_than}")
        told += ["--exclude-caches"] * self.exclude_caches
        told += ["--one-file-system"] * self.one_file_system
        return [*told, "--", *self.paths]


_LISTS = {
    "paths": "paths",
    "window": "windows",
    "blackout": "blackouts",
    "exclude": "excludes",
    "tags": "tags",
    "limit_upload": "limit_upload",
}
_TEXTS = ("schedule", "zone", "exclude_larger_than", "before", "after", "timeout")
_SWITCHES = ("exclude_caches", "one_file_system", "on_mains")
_NUMBERS = ("battery_above", "load_below")
KEYS = (*_LISTS, *_TEXTS, *_SWITCHES, *_NUMBERS)
"""What a job's table in the file may have."""


def job_of(name: str, fields: object) -> Job:
    """Read a job's table. Raises SettingsError, which names the job and the key."""
    try:
        if not isinstance(fields, Mapping):
            raise UsageError("it has to be a table: [jobs.NAME] in a line of its own.")
        return Job(name, **_values(fields))
    except UsageError as error:
        raise SettingsError(f"job {name[:80]!a}: {error}") from None


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    for key in fields:
        if key not in KEYS:
            raise UsageError(f"there is no key {key[:80]!a}{_meant(key)}.")
    for key in ("paths", "schedule"):
        if key not in fields:
            raise UsageError(f"it lacks {key!a}.")
    found: dict[str, Any] = {
        _LISTS[key]: _texts(key, fields[key]) for key in _LISTS if key in fields
    }
    for key in _TEXTS:
        if key in fields:
            found[key] = _text(key, fields[key])
    for key in _SWITCHES:
        if key in fields:
            if not isinstance(fields[key], bool):
                raise UsageError(f"{key} has to be true or false.")
            found[key] = bool(fields[key])
    for key in _NUMBERS:
        if key in fields:
            found[key] = _number(key, fields[key])
    return found


def _number(key: str, value: object) -> int | float:
    whole = key == "battery_above"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise UsageError(f"{key} has to be a {'whole ' * whole}number.")
    return value


def _meant(key: str) -> str:
    close = difflib.get_close_matches(key, KEYS, 1)
    return f"; perhaps {close[0]} is meant" if close else f"; there are {', '.join(KEYS)}"


def _texts(key: str, value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        raise UsageError(f"{key} has to be a list of texts.")
    return tuple(_text(key, one) for one in values)


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{key} has to be a text, in quotation marks.")
    return value


def _check_texts(key: str, texts: Sequence[str]) -> None:
    if len(texts) > _MOST:
        raise UsageError(f"{key}: there are more than {_MOST}.")
    for text in texts:
        if not text.strip() or len(text) > _LONGEST or "\0" in text:
            raise UsageError(
                f"{key}: {text[:80]!a} is empty, has a NUL or more than {_LONGEST} characters."
            )
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"{key}: {text[:80]!a} is not UTF-8, and the file of jobs is. Name the folder that "
                "it is in."
            ) from None
