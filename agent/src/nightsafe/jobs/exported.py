"""A computer's set-up in one file, by which another one is set up alike. It holds no secret."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from nightsafe.errors import SettingsError
from nightsafe.fs.durability import replace_file
from nightsafe.jobs.job import Job, job_of
from nightsafe.settings.toml_file import read_toml

_KEYS = ("site", "repository", "computer")
_HEAD = """\
# How {computer} is set up for Nightsafe. On another computer, or on this one made new:
#
#     nightsafe config import THIS-FILE
#
# No secret is in here, unless a command before or after a backup holds one. What is asked for:
# - the password of the website, to confirm the code that connects the computer; it can be reset;
# - the passphrase of the vault, which nobody can reset, or the words of its recovery kit.
"""


@dataclass(frozen=True)
class Exported:
    """Where the vault is, and what is backed up to it. `site` is empty if it is not known."""

    site: str
    repository: str
    computer: str
    jobs: Mapping[str, Job]


def export(path: str, exported: Exported) -> None:
    """Write a set-up to a file, also over an older one, but over nothing else.

    SettingsError if that fails.
    """
    if os.path.lexists(path):
        try:
            load_exported(path)
        except SettingsError:
            raise SettingsError(
                f"{path} is there already, and is no exported set-up. Choose another name."
            ) from None
    import tomlkit

    document = tomlkit.document()
    for key in _KEYS:
        document.add(key, getattr(exported, key))
    jobs = tomlkit.table(is_super_table=True)
    for name, job in exported.jobs.items():
        jobs.add(name, job.fields())
    document.add("jobs", jobs)
    computer = "".join(char if char.isprintable() else "?" for char in exported.computer)
    try:
        replace_file(path, _HEAD.format(computer=computer) + "\n" + tomlkit.dumps(document))
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error


def load_exported(path: str) -> Exported:
    """Read a set-up. SettingsError if it is none, or not all of it can be understood."""
    read = read_toml(path)
    unknown = [key for key in read if key not in (*_KEYS, "jobs")]
    texts = [read.get(key, "") for key in _KEYS]
    jobs = read.get("jobs", {})
    if unknown or not all(isinstance(text, str) for text in texts) or not isinstance(jobs, dict):
        what = f"{unknown[0][:80]!a} is not known there" if unknown else "a value has another type"
        raise SettingsError(f"{path} is no exported set-up: {what}.")
    site, repository, computer = texts
    try:
        found = {name: job_of(name, fields) for name, fields in jobs.items()}
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    return Exported(site, repository, computer, found)
