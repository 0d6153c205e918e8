"""Parses and checks the URL of a vault and its credential, without loading an HTTP client."""

from typing import NamedTuple

from nightsafe.errors import SettingsError

DEFAULT_PATIENCE = 900.0
"""For how many seconds one request is retried."""


class Credential(NamedTuple):
    """The user name and secret for one vault."""

    username: str
    secret: str

    def __repr__(self) -> str:
        return f"Credential({self.username!r})"  # keeps the secret out of logs


class RemoteUrl(NamedTuple):
    """A vault's URL, ending in a slash, and the credential that was part of it."""

    url: str
    credential: Credential | None = None

    @classmethod
    def parse(cls, text: str) -> "RemoteUrl":
        """Parse `http(s)://[user:secret@]host/path/`; SettingsError if it is invalid."""
        from urllib.parse import unquote, urlsplit, urlunsplit  # not needed for a folder

        try:
            parts = urlsplit(text.strip())
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise SettingsError("The repository's address is not a valid URL.") from None
        if parts.scheme not in ("http", "https"):
            raise SettingsError("The repository's address must begin with http:// or https://.")
        if not parts.hostname:
            raise SettingsError(
                f"The repository's address names no server: it goes on after {parts.scheme}:// "
                "with one, such as backup.example.com/restic/…/."
            )
        if parts.query or parts.fragment:
            raise SettingsError("The repository's address must not contain ? or #.")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        path = parts.path if parts.path.endswith("/") else parts.path + "/"
        credential = None
        if parts.username:
            pair = (parts.username, parts.password or "")
            credential = Credential(*(unquote(one, errors="surrogateescape") for one in pair))
        return cls(urlunsplit((parts.scheme, host + port, path, "", "")), credential)
