"""Finds the repository and credential for a command.

Options take precedence over the environment, and that over the stored login.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from nightsafe.backend.base import Backend
from nightsafe.backend.local import LocalBackend
from nightsafe.backend.rest_url import DEFAULT_PATIENCE, Credential, RemoteUrl
from nightsafe.errors import SettingsError, UsageError
from nightsafe.settings.login import load_login

if TYPE_CHECKING:
    from nightsafe.backend.throttle import Line

_SERVERS = ("http", "https", "rest")


class RepositoryLocation(NamedTuple):
    """A repository's folder, or its URL with its credential."""

    folder: str = ""
    url: str = ""
    credential: Credential | None = None

    def open(
        self, *, patience: float = DEFAULT_PATIENCE, cacert: str = "", line: "Line | None" = None
    ) -> Backend:
        """Return the backend for this location, without connecting yet; see `RestBackend`."""
        if self.folder:
            return LocalBackend(self.folder)
        # Imported late: loading an HTTP client takes as long as everything else.
        from nightsafe.backend.rest import RestBackend

        return RestBackend(self.url, self.credential, patience=patience, cacert=cacert, line=line)


def find_location(
    option: str | None, environ: Mapping[str, str] = os.environ
) -> RepositoryLocation:
    """Return the repository's location. SettingsError if none is given."""
    if option and is_url(option) and parse_url(option).credential:
        raise UsageError(
            "Do not put a secret on the command line, where every user of this computer can see "
            "it. Run `nightsafe login`, or set NIGHTSAFE_USERNAME and NIGHTSAFE_SECRET."
        )
    text = option or environ.get("NIGHTSAFE_REPOSITORY", "")
    if text and (folder := folder_of(text)) is not None:
        return RepositoryLocation(folder=folder)
    if text:
        address = parse_url(text)
        # Loaded only if needed: it may belong to another user and be unreadable.
        credential = _given(address, environ) or _stored(address, environ)
        return RepositoryLocation(url=address.url, credential=credential)
    login = load_login(environ)
    if login is None:
        raise SettingsError(
            "No repository is given. Run `nightsafe login`, or use -r with a URL or a folder."
        )
    address = RemoteUrl.parse(login.url)
    return RepositoryLocation(
        url=address.url, credential=_given(address, environ) or login.credential
    )


def is_url(text: str) -> bool:
    """Whether a location is a server, not a folder. SettingsError if it is neither."""
    return folder_of(text) is None


def folder_of(text: str) -> str | None:
    """Return the folder that a location names; None for a server.

    SettingsError for any other kind: a typo, or a backend that only other programs support, must
    not become a folder of that name.
    """
    kind, colon, rest = text.partition(":")
    if "//" in kind and kind.partition("//")[0].lower() in _SERVERS:
        raise _unsupported(kind.partition("//")[0] + "//")
    if not colon or "/" in kind or "\\" in kind:
        return text  # a later colon is part of a name
    match kind.strip().lower():
        case "local":
            if not rest:
                raise SettingsError("The repository's address, local:, names no folder.")
            return rest
        case known if known in _SERVERS:
            return None
        case drive if len(drive) == 1 and drive.isalpha() and rest.startswith(("/", "\\")):
            return text
    raise _unsupported(kind + ":")


def _unsupported(start: str) -> SettingsError:
    return SettingsError(
        f"The repository's address begins with {start[:30]!a}, and nothing here knows such a "
        "place. Supported are folders (/path, local:path), http(s)://host/path/ and "
        "rest:http(s)://host/path/. A folder with a colon in its name is local:name or ./name."
    )


def parse_url(text: str) -> RemoteUrl:
    """Parse a URL, with or without the prefix `rest:` that stock restic requires."""
    kind, _, rest = text.strip().partition(":")
    return RemoteUrl.parse(rest if kind.lower() == "rest" else text)


def _given(address: RemoteUrl, environ: Mapping[str, str]) -> Credential | None:
    username, secret = environ.get("NIGHTSAFE_USERNAME"), environ.get("NIGHTSAFE_SECRET")
    return Credential(username, secret) if username and secret else address.credential


def _stored(address: RemoteUrl, environ: Mapping[str, str]) -> Credential | None:
    login = load_login(environ)
    return login.credential if login is not None and login.url == address.url else None


def find_patience(option: float | None, environ: Mapping[str, str] = os.environ) -> float:
    """Return for how many seconds a request is retried."""
    if option is not None:
        return option
    text = environ.get("NIGHTSAFE_PATIENCE", "")
    try:
        patience = float(text) if text else DEFAULT_PATIENCE
    except ValueError:
        patience = -1.0
    if not 0 <= patience < float("inf"):
        raise SettingsError("NIGHTSAFE_PATIENCE must be a number of seconds, such as 900.")
    return patience


def find_cacert(option: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the file of trusted certificates; empty for the system's."""
    return option or environ.get("NIGHTSAFE_CACERT", "")
