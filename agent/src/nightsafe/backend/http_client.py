"""Makes requests of a server until they have an answer that means something.

Requests that fail for a passing reason are tried again, with growing and jittered pauses,
until the patience is used up. A POST may be repeated: an object has one possible content.
"""

import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import urllib3

from nightsafe.amounts import show_count
from nightsafe.backend.connections import TROUBLES, Connections, explained
from nightsafe.backend.rest_responses import (
    REASON_SIZE,
    Answer,
    PassingError,
    check_status,
    follow,
    is_safe,
)
from nightsafe.errors import NoCopyError, ObjectNotFoundError, StorageError, UnreachableError, ended

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LATER = "Run the same command again in a while."
_CHECK = "Check the network and the address, then run the same command again."
_MAX_REDIRECTS = 3
_NO_COPY_ATTEMPTS = 4  # a few seconds: waiting for a region to come back may take days
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_WISH = 0.5, 60.0, 600.0


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


class HttpClient:
    """Speaks to the server at `url`, with `headers` in every request.

    `patience` is the number of seconds for which one request is tried again, `cacert` a file of
    certificates that are believed instead of the system's. `without_copy` are paths that had no
    copy to be read: who asks for one again is told at once.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        patience: float,
        cacert: str,
        without_copy: set[str] | None = None,
    ) -> None:
        self.url = url
        self._headers = headers
        self._patience = patience
        self._cacert = cacert
        self._without_copy = set() if without_copy is None else without_copy
        self._connections = Connections(patience, cacert)

    def __reduce__(self) -> tuple[Any, ...]:
        """Everything but the connections: a copy, here or in another process, has its own."""
        given = self.url, self._headers, self._patience, self._cacert, self._without_copy
        return HttpClient, given

    def close(self) -> None:
        """Give back the connections."""
        self._connections.close()

    def request(self, method: str, path: str, **details: Any) -> Answer:
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

    def ask_direct(
        self, method: str, url: str, headers: Mapping[str, str], body: BinaryIO | None = None
    ) -> contextlib.closing[urllib3.BaseHTTPResponse]:
        """Ask a store at an address that the service gave; StorageError if it is not safe."""
        if not is_safe(self.url, url):
            raise StorageError("The server names an address that is not safe to use.")
        return contextlib.closing(self._connections.send(method, url, headers, body))

    def _wait(self, trouble: PassingError, *, pause: float, deadline: float) -> None:
        """Sleep before the next attempt; UnreachableError when the patience would not last."""
        # Jitter keeps many clients from coming back at the same moment.
        seconds = pause * random.uniform(0.5, 1.0)  # noqa: S311
        if trouble.wait is not None:
            seconds = max(seconds, min(trouble.wait, _LONGEST_WISH))
        if time.monotonic() + seconds > deadline:
            tried = show_count(self._patience, "second")
            what = f"No success with {self.url} within {tried}: {trouble}"
            raise UnreachableError(
                f"{ended(what)} {_LATER if trouble.is_answer else _CHECK}"
            ) from None
        time.sleep(seconds)

    def _attempt(self, query: _Query) -> Answer:
        """One attempt, with the redirects that belong to it."""
        url = query.path if query.path.startswith("http") else self.url + query.path
        headers: Mapping[str, str] = {**self._headers, **query.headers}
        for _ in range(_MAX_REDIRECTS + 1):
            try:
                answer = self._exchange(query, url, headers)
            except TROUBLES as error:
                raise explained(error, self.url) from error
            if answer.status not in _REDIRECTS or query.method not in ("GET", "HEAD"):
                return answer
            url, headers = follow(url, answer.headers.get("Location", ""), headers)
        raise StorageError("The server redirects in a circle; check the repository's address.")

    def _exchange(self, query: _Query, url: str, headers: Mapping[str, str]) -> Answer:
        response = self._connections.send(query.method, url, headers, query.body)
        with contextlib.closing(response):  # a connection read to its end is kept all the same
            if response.status >= 300:
                body = read_body(response, REASON_SIZE)[:REASON_SIZE]
                return Answer(response.status, response.headers, body)
            has_answer = query.method in ("GET", "HEAD") or query.is_call
            if has_answer and not _says_its_length(response):
                raise PassingError("the connection broke off")
            limit = query.limit
            if response.status != 206 and query.whole_limit:
                limit = query.whole_limit
            body = read_body(response, limit)
        if len(body) > limit:
            raise StorageError("The server sent more than was asked for; nothing of it was used.")
        return Answer(response.status, response.headers, body)


def read_body(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """The body of a response, but no more than one byte over `limit`."""
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
