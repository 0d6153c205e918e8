"""The answers to `nightsafe setup` in a file, for a computer that nobody sits at.

site = "https://nightsafe.example"
folders = ["/home/anna/Documents", "/srv/data"]
schedule = "daily 02:30"
kit = "~/recovery-kit.html"
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nightsafe.errors import SettingsError, UsageError
from nightsafe.settings.toml_file import read_toml

DEFAULT_SCHEDULE = "daily 12:30"
DEFAULT_JOB = "files"


@dataclass(frozen=True)
class Answers:
    """What somebody wants. `kit` is where a recovery kit is written, empty for none.

    `service` has the agent started with the computer, `first_backup` begins one at once, and
    `keep_passphrase` keeps the passphrase on this computer.
    """

    folders: tuple[str, ...]
    site: str = ""
    computer: str = ""
    job: str = DEFAULT_JOB
    schedule: str = DEFAULT_SCHEDULE
    exclude: tuple[str, ...] = ()
    kit: str = ""
    keep_passphrase: bool = True
    service: bool = True
    first_backup: bool = True


_KINDS = {field.name: field.type for field in fields(Answers)}


def load_answers(path: str) -> Answers:
    """Read a file of answers. Raises SettingsError, which names what is wrong."""
    read = read_toml(path)
    try:
        return answers_of(read)
    except UsageError as error:
        raise SettingsError(f"{path}: {error}") from None


def answers_of(read: Mapping[str, Any]) -> Answers:
    """Return the answers that a table holds. Raises UsageError."""
    for key in read:
        if key not in _KINDS:
            near = difflib.get_close_matches(key, _KINDS, 1)
            known = f"perhaps {near[0]} is meant" if near else f"there are {', '.join(_KINDS)}"
            raise UsageError(f"there is no key {key[:80]!a}; {known}.")
    if "kit" not in read:
        raise UsageError(
            'it lacks kit: where the recovery kit is to be written, or "" to do without one.'
        )
    if not read.get("folders"):
        raise UsageError("folders: name at least one file or folder.")
    return Answers(**{key: _value(key, value) for key, value in read.items()})


def _value(key: str, value: object) -> Any:
    kind = _KINDS[key]
    if kind is bool:
        if not isinstance(value, bool):
            raise UsageError(f"{key} has to be true or false.")
        return value
    if kind is str:
        if not isinstance(value, str):
            raise UsageError(f"{key} has to be a text, in quotation marks.")
        return value
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{key} has to be a list of texts.")
    return tuple(texts)
