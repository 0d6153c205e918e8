"""The backend for servers that speak restic's REST protocol.

Requests that fail for a passing reason are tried again, with growing and jittered pauses,
until the patience is used up. A POST may be repeated: an object has one possible content.
"""

import contextlib
import copy
import random
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson
import urllib3

from nightsafe.amounts import show_count
from nightsafe.backend.base import Backend, Listing, ObjectKind, check_name, is_name
from nightsafe.backend.connections import TROUBLES, Connections, basic, explained
from nightsafe.backend.rest_responses import (
    EXISTS,
    NO_LISTING,
    REASON_SIZE,
    Answer,
    PassingError,
    check_status,
    follow,
    is_safe,
    parse_listing,
)
from nightsafe.backend.rest_url import DEFAULT_PATIENCE, Credential, RemoteUrl
from nightsafe.backend.service import ControlApi, joined
from nightsafe.errors import (
    AccessRefusedError,
    NoCopyError,
    ObjectExistsError,
    ObjectNotFoundError,
    SettingsError,
    StorageError,
    UnreachableError,
    ended,
)

_ACCEPT = "application/vnd.x.restic.rest.v2"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LATER = "Run the same command again in a while."
_CHECK = "Check the network and the address, then run the same command again."
_MAX_REDIRECTS = 3
_MAX_LISTING = 1 << 30
_NO_COPY_ATTEMPTS = 4  # a few seconds: waiting for a region to come back may take days
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_WISH = 0.5, 60.0, 600.0
_VAULT = re.compile(r"(?P<site>https?://.*)/restic/(?P<vault>[a-z2-7]{20})/")
_MAX_ANSWER = 64 << 20


@dataclass(frozen=True)
class _Query:
    """One request. The answer's body may have `limit` bytes, `whole_limit` if it is no range.

    Of a call the answer's body matters, of other POSTs the status alone.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: int = 1 << 20
    whole_limit: int = 0
    is_call: bool = False


class RestBackend(ControlApi):
    """Storage behind a URL; see `nightsafe.backend.base.Backend` for the contract.

    `patience` is the number of seconds for which one request is tried again, `cacert` a file of
    certificates that are believed instead of the system's.
    """

    def __init__(
        self,
        url: str,
        credential: Credential | None = None,
        *,
        patience: float = DEFAULT_PATIENCE,
        cacert: str = "",
    ) -> None:
        parsed = RemoteUrl.parse(url)
        self._url = parsed.url
        # Objects that had no copy to be read: who asks for one again is told at once.
        self._without_copy: set[str] = set()
        self._patience = patience
        self._headers = {
            "Accept": _ACCEPT,
            "Content-Type": "application/octet-stream",
            "User-Agent": "nightsafe",
        }
        credential = credential or parsed.credential
        if credential is not None:
            self._headers["Authorization"] = basic(credential)
        at = _VAULT.fullmatch(self._url)
        self._control = f"{at['site']}/api/v1/vaults/{at['vault']}/" if at else ""
        self._cacert = cacert
        self._connections = Connections(patience, cacert)

    def joined(self) -> Backend:
        """Itself, as a vault of the service if its address has that form and it answers so."""
        return joined(self) if self._control else self

    def call(self, what: str, fields: Mapping[str, object]) -> dict[str, Any]:
        """Make a request of the service's control API; returns its answer.

        ObjectNotFoundError or AccessRefusedError where there is no such API.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = orjson.dumps(fields)
        answer = self._request(
            "POST",
            self._control + what,
            body=body,
            headers=headers,
            limit=_MAX_ANSWER,
            is_call=True,
        )
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise ObjectNotFoundError("The server does not speak the service's control API.")
        return found

    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        """Send a file to the presigned address that the service gave; whether the store has it.

        One try, without the credential. Who hears no sends it through the service.
        """
        try:
            with self._ask_direct("PUT", url, headers, file) as response:
                _read(response, REASON_SIZE)
                return response.status in (200, 201, 204, 412)
        except (*TROUBLES, StorageError, SettingsError):
            return False

    def load_direct(
        self, url: str, headers: Mapping[str, str], *, offset: int, length: int | None, limit: int
    ) -> bytes | None:
        """What a presigned address holds: all of it, at most `limit` bytes, or `length` bytes
        from `offset`. None if that was not to be had.
        """
        if length is not None:
            headers = {**headers, "Range": f"bytes={offset}-{offset + length - 1}"}
        try:
            with self._ask_direct("GET", url, headers) as response:
                if response.status != (200 if length is None else 206):
                    return None
                said = response.headers.get("Content-Length", "")
                most = limit if length is None else length
                data = _read(response, most)
        except (*TROUBLES, StorageError, SettingsError):
            return None
        return data if len(data) <= most and str(len(data)) == said else None

    def _ask_direct(
        self, method: str, url: str, headers: Mapping[str, str], body: BinaryIO | None = None
    ) -> contextlib.closing[urllib3.BaseHTTPResponse]:
        """Ask a store at an address that the service gave; StorageError if it is not safe."""
        if not is_safe(self._url, url):
            raise StorageError("The server names an address that is not safe to use.")
        return contextlib.closing(self._connections.send(method, url, headers, body))

    @property
    def location(self) -> str:
        return self._url

    def create(self) -> None:
        self._request("POST", "?create=true", body=b"")

    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        if kind is ObjectKind.CONFIG:
            with contextlib.suppress(ObjectNotFoundError):
                yield Listing(kind.value, self.size(kind, kind.value))
            return
        answer = self._request("GET", f"{kind.value}/", limit=_MAX_LISTING)
        for entry in parse_listing(answer.body):
            match entry:
                case {"name": str(name)} | str(name) if not is_name(kind, name):
                    continue
                case {"name": str(name), "size": int(size)}:
                    yield Listing(name, size)
                case str(name):  # version 1 of the protocol
                    yield Listing(name, self.size(kind, name))
                case _:  # what is not understood might be what must not be missed
                    raise StorageError(NO_LISTING)

    def size(self, kind: ObjectKind, name: str) -> int:
        answer = self._request("HEAD", _path(kind, name))
        length = answer.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise StorageError("The server did not say how large an object is; try again later.")
        return int(length)

    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        path = _path(kind, name)
        if length is None and not offset:
            return self._request("GET", path, limit=kind.max_size).body
        end = "" if length is None else str(offset + length - 1)
        headers = {"Range": f"bytes={offset}-{end}"}
        limit = kind.max_size if length is None else length
        answer = self._request("GET", path, headers=headers, limit=limit, whole_limit=kind.max_size)
        if answer.status == 206:
            return answer.body
        return answer.body[offset:] if length is None else answer.body[offset : offset + length]

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        try:
            self._request("POST", _path(kind, name), body=data)
        except AccessRefusedError:
            # Some servers refuse to store what they hold already, as after a lost answer.
            if kind is ObjectKind.LOCK:
                raise
            held = self._size_or_none(kind, name)
            if held == len(data) and self._holds(kind, name, data):
                return
            if kind is ObjectKind.CONFIG and held is not None:
                raise ObjectExistsError(EXISTS) from None
            raise

    def _size_or_none(self, kind: ObjectKind, name: str) -> int | None:
        try:
            return self.size(kind, name)
        except StorageError:
            return None

    def _holds(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> bool:
        try:
            return self.load(kind, name) == data
        except StorageError:
            return False

    def remove(self, kind: ObjectKind, name: str) -> None:
        self._request("DELETE", _path(kind, name))

    def fresh(self) -> "RestBackend":
        return copy.copy(self)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the connections: a copy, here or in another process, has its own."""
        return {name: value for name, value in vars(self).items() if name != "_connections"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._connections = Connections(self._patience, self._cacert)

    def close(self) -> None:
        self._connections.close()

    def _request(self, method: str, path: str, **details: Any) -> Answer:
        """Send until there is an answer that means something, or the patience is used up."""
        query = _Query(method, path, **details)
        deadline = time.monotonic() + self._patience
        pause, without_copy = _FIRST_PAUSE, 0
        while True:
            try:
                answer = self._attempt(query)
                check_status(answer, path)
            except PassingError as trouble:
                without_copy += trouble.has_no_copy
                known = trouble.has_no_copy and path in self._without_copy
                if known or without_copy == _NO_COPY_ATTEMPTS:
                    self._without_copy.add(path)
                    raise NoCopyError(
                        f"No copy of {path} can be read at this moment; it is not deleted. "
                        "Try again later."
                    ) from None
                self._wait(trouble, pause=pause, deadline=deadline)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except ObjectNotFoundError:
                if method == "DELETE" and pause > _FIRST_PAUSE:
                    return answer  # the attempt whose answer was lost had removed it
                raise
            else:
                return answer

    def _wait(self, trouble: PassingError, *, pause: float, deadline: float) -> None:
        """Sleep before the next attempt; UnreachableError when the patience would not last."""
        # Jitter keeps many clients from coming back at the same moment.
        seconds = pause * random.uniform(0.5, 1.0)  # noqa: S311
        if trouble.wait is not None:
            seconds = max(seconds, min(trouble.wait, _LONGEST_WISH))
        if time.monotonic() + seconds > deadline:
            tried = show_count(self._patience, "second")
            what = f"No success with {self._url} within {tried}: {trouble}"
            raise UnreachableError(
                f"{ended(what)} {_LATER if trouble.is_answer else _CHECK}"
            ) from None
        time.sleep(seconds)

    def _attempt(self, query: _Query) -> Answer:
        """One attempt, with the redirects that belong to it."""
        url = query.path if query.path.startswith("http") else self._url + query.path
        headers: Mapping[str, str] = {**self._headers, **query.headers}
        for _ in range(_MAX_REDIRECTS + 1):
            try:
                answer = self._exchange(query, url, headers)
            except TROUBLES as error:
                raise explained(error, self._url) from error
            if answer.status not in _REDIRECTS or query.method not in ("GET", "HEAD"):
                return answer
            url, headers = follow(url, answer.headers.get("Location", ""), headers)
        raise StorageError("The server redirects in a circle; check the repository's address.")

    def _exchange(self, query: _Query, url: str, headers: Mapping[str, str]) -> Answer:
        response = self._connections.send(query.method, url, headers, query.body)
        with contextlib.closing(response):  # a connection read to its end is kept all the same
            if response.status >= 300:
                body = _read(response, REASON_SIZE)[:REASON_SIZE]
                return Answer(response.status, response.headers, body)
            has_answer = query.method in ("GET", "HEAD") or query.is_call
            if has_answer and not _says_its_length(response):
                raise PassingError("the connection broke off")
            limit = query.limit
            if response.status != 206 and query.whole_limit:
                limit = query.whole_limit
            body = _read(response, limit)
        if len(body) > limit:
            raise StorageError("The server sent more than was asked for; nothing of it was used.")
        return Answer(response.status, response.headers, body)


def _read(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """The body, but no more than one byte over `limit`."""
    parts, held = [], 0
    while held <= limit:
        part = response.read(min(limit + 1 - held, 1 << 20), decode_content=False)
        if not part:
            break
        parts.append(part)
        held += len(part)
    return b"".join(parts)


def _says_its_length(response: urllib3.BaseHTTPResponse) -> bool:
    """False when the head was cut off: taken as it is, a list of objects would seem empty."""
    framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    return framed or response.version < 11 or response.status == 204


def _path(kind: ObjectKind, name: str) -> str:
    check_name(kind, name)
    return name if kind is ObjectKind.CONFIG else f"{kind.value}/{name}"
