"""Turns a server's responses into results and typed errors."""

import email.utils
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

from nightsafe.backend.base import ObjectKind
from nightsafe.errors import (
    AccessRefusedError,
    ObjectExistsError,
    ObjectNotFoundError,
    QuotaError,
    StaleIndexError,
    StorageError,
    TooLargeError,
    ended,
)

REASON_SIZE = 4096
"""How many bytes of an error's body are read."""
_REASON_SHOWN = 300
QUOTA_USED = (
    "The storage of the plan is used up; nothing already stored is touched. To make room, run "
    "`nightsafe forget --prune` with a credential that may remove (scope maintain, made on the "
    "vault's page; one of scope backup may not), or get a larger plan."
)
EXISTS = (
    "There is a repository already at this address. Its passphrase is the one that it was made "
    "with: `nightsafe snapshots` shows what is in it, `nightsafe backup` adds to it."
)
NO_LISTING = "The server's list of objects is not readable; is this a restic REST server's address?"
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_REFUSAL_HEADER = "Nightsafe-Refusal"
_NO_COPY = (_REFUSAL_HEADER, "damaged")


class TransientError(Exception):
    """A transient failure; may be retried. `wait` is the server's Retry-After, if any.

    `has_response`: the server responded, so the network works. `has_no_copy`: the server works too,
    but no copy of this one object can be read.
    """

    def __init__(
        self,
        reason: str,
        *,
        wait: float | None = None,
        has_response: bool = False,
        has_no_copy: bool = False,
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.has_response = has_response
        self.has_no_copy = has_no_copy


class Response(NamedTuple):
    """A status with its headers and body; an error's body has at most REASON_SIZE bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_safe(url: str, target: str) -> bool:
    """Whether a server at `url` may refer us to `target`: by HTTP, and never from TLS to plain."""
    here, there = urlsplit(url), urlsplit(target)
    return there.scheme == "https" or (there.scheme == "http" and here.scheme != "https")


def follow(url: str, target: str, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Return the next URL and headers of a redirect; the credential never leaves its host."""
    if not is_safe(url, target):
        raise StorageError("The server redirects to an address that is not safe to follow.")
    here, there = urlsplit(url), urlsplit(target)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
    return target, headers


def parse_listing(body: bytes) -> list[object]:
    """Return the raw entries of an object listing; StorageError if it is not one.

    An empty body is not a listing: a truncated response must not look like an empty vault.
    """
    try:
        entries = orjson.loads(body)
    except orjson.JSONDecodeError:
        entries = {}
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise StorageError(NO_LISTING)
    return entries


def check_status(response: Response, path: str) -> None:
    """Raise the error that an unsuccessful status means."""
    status = response.status
    if status in (200, 201, 204, 206):
        return
    reason = _reason(response)
    if status in _TRANSIENT:
        name, value = _NO_COPY
        has_no_copy = response.headers.get(name) == value
        raise TransientError(
            f"the server answers {status}{': ' + reason if reason else ''}",
            wait=None if has_no_copy else _retry_after(response.headers),
            has_response=True,
            has_no_copy=has_no_copy,
        )
    # The service responds with 403 whenever a retry is useless; the header gives the reason.
    kind = _BY_REFUSAL.get(response.headers.get(_REFUSAL_HEADER, "")) or _PERMANENT.get(status)
    if kind is None:
        raise StorageError(f"The server answers {status}, which was not expected.{said(reason)}")
    error, text = kind
    if status == 409 and path == ObjectKind.CONFIG.value:
        error, text = ObjectExistsError, EXISTS
    raise error(text + said(reason))


_PERMANENT: dict[int, tuple[type[StorageError], str]] = {
    401: (
        AccessRefusedError,
        "The server does not accept this credential; run `nightsafe login` with a valid one.",
    ),
    403: (
        AccessRefusedError,
        "The server does not allow this with this credential. Where it gives no other reason, it "
        "takes one that may do more, made on the vault's page: give it to this command alone, by "
        "NIGHTSAFE_USERNAME and NIGHTSAFE_SECRET.",
    ),
    404: (ObjectNotFoundError, "The vault or the object does not exist at this address."),
    405: (AccessRefusedError, "The server does not allow this at this address."),
    409: (StaleIndexError, "The server refuses this because something changed meanwhile."),
    410: (ObjectNotFoundError, "What was asked for is gone from the server."),
    413: (TooLargeError, "The server refuses an object as too large."),
    416: (ObjectNotFoundError, "An object on the server is shorter than it should be."),
    507: (QuotaError, QUOTA_USED),
}

_BY_REFUSAL: dict[str, tuple[type[StorageError], str]] = {
    "stale": _PERMANENT[409],
    "too-large": _PERMANENT[413],
    "over-quota": _PERMANENT[507],
    "range": _PERMANENT[416],
    "deleting": (AccessRefusedError, "The service does not give out this vault now."),
    "bad-request": (StorageError, "The server does not take this."),
}


def said(reason: str) -> str:
    """Format the server's reason to follow our own text; empty if it gave none."""
    return ended(f" The server says: {_line(reason)}") if reason else ""


def _reason(response: Response) -> str:
    """Return the server's reason, made safe to print by `_line`."""
    kind = response.headers.get("Content-Type", "")
    if kind.startswith("application/json"):
        text = _message(response.body)
    elif kind.startswith("text/plain"):
        text = response.body.decode("utf-8", "replace")
    else:
        return ""
    return _line(text)


def _line(text: str) -> str:
    """Join a text into one bounded line without control characters."""
    words = "".join(char if char.isprintable() else " " for char in text).split()
    line = " ".join(words)
    return line if len(line) <= _REASON_SHOWN else line[: _REASON_SHOWN - 1] + "…"


def _message(body: bytes) -> str:
    """Return the message in an error of the control API."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    return str(fields.get("message", "")) if isinstance(fields, dict) else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Parse Retry-After, a number or a date, as seconds from now."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
