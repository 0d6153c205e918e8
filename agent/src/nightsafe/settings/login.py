"""Stores the login, and finds the agent's own folders.

Nothing stored there names a user's file or contains a passphrase or key.
"""

import json
import os
from collections.abc import Mapping
from typing import Literal, NamedTuple

from nightsafe.backend.rest_url import Credential
from nightsafe.errors import SettingsError
from nightsafe.fs.durability import replace_file

NOWHERE = os.path.join(os.devnull, "nightsafe")
"""A path that cannot exist, so nothing is stored there."""


class Login(NamedTuple):
    """A stored credential and the repository it belongs to.

    `site` is the website's address, empty if it is not known.
    """

    url: str
    credential: Credential
    site: str = ""


def config_dir(environ: Mapping[str, str] = os.environ) -> str:
    """Return the folder for settings; NIGHTSAFE_CONFIG_DIR overrides it."""
    return environ.get("NIGHTSAFE_CONFIG_DIR") or _own("config")


def cache_dir(environ: Mapping[str, str] = os.environ) -> str:
    """Return the folder for caches; NIGHTSAFE_CACHE_DIR overrides it."""
    return environ.get("NIGHTSAFE_CACHE_DIR") or _own("cache")


def state_dir(environ: Mapping[str, str] = os.environ) -> str:
    """Return the folder for what is remembered between runs; NIGHTSAFE_STATE_DIR overrides it."""
    return environ.get("NIGHTSAFE_STATE_DIR") or _own("state")


def _own(kind: Literal["cache", "config", "state"]) -> str:
    """Return the platform's folder of this kind for the agent.

    For users without a home, as in containers, it is a path that cannot exist.
    """
    import platformdirs

    folder = platformdirs.PlatformDirs("nightsafe", appauthor=False)
    try:
        found = str(getattr(folder, f"user_{kind}_dir"))
    except RuntimeError:
        found = ""
    if os.path.isabs(found):
        return found
    from pathlib import PureWindowsPath  # platformdirs' result for Windows, in tests

    return found if PureWindowsPath(found).is_absolute() else os.path.join(NOWHERE, kind)


def login_path(environ: Mapping[str, str] = os.environ) -> str:
    """Return the path of the file with the login."""
    return os.path.join(config_dir(environ), "login.json")


def save_login(login: Login, environ: Mapping[str, str] = os.environ) -> str:
    """Store the login, readable by this user only; returns the file's path."""
    path = login_path(environ)
    if path.startswith(NOWHERE):
        raise SettingsError(
            "This user has no home folder, so no login can be stored. Set NIGHTSAFE_CONFIG_DIR to "
            "a folder for it, or do without: NIGHTSAFE_REPOSITORY, NIGHTSAFE_USERNAME and "
            "NIGHTSAFE_SECRET say the same."
        )
    fields = {
        "repository": login.url,
        "username": login.credential.username,
        "secret": login.credential.secret,
    }
    if login.site:
        fields["site"] = login.site
    try:
        replace_file(path, json.dumps(fields))
    except OSError as error:
        raise SettingsError(f"The login cannot be stored in {path}: {error.strerror}.") from error
    return path


def load_login(environ: Mapping[str, str] = os.environ) -> Login | None:
    """Return the stored login; None if there is none, or none that this user may see.

    SettingsError if the file exists but cannot be read.
    """
    path = login_path(environ)
    try:
        with open(path, encoding="utf-8") as file:
            fields = json.load(file)
        credential = Credential(fields["username"], fields["secret"])
        return Login(fields["repository"], credential, str(fields.get("site", "")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        if not os.path.exists(path):
            return None  # HOME is another user's
        raise _unreadable(path) from error
    except (OSError, ValueError, KeyError, TypeError):
        raise _unreadable(path) from None


def _unreadable(path: str) -> SettingsError:
    return SettingsError(f"The stored login {path} cannot be read; run `nightsafe login` again.")
