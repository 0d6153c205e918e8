"""Sends requests to a server and retries them until one gets a conclusive response.

Transient failures are retried with growing, jittered pauses until the patience is used up. A POST
may be repeated, because an object can have only one content.
"""

import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import urllib3

from nightsafe.amounts import show_count
from nightsafe.backend.connections import NETWORK_ERRORS, Connections, explain
from nightsafe.backend.rest_responses import (
    REASON_SIZE,
    Response,
    TransientError,
    check_status,
    follow,
    is_safe,
)
from nightsafe.backend.throttle import Line, Throttle
from nightsafe.errors import NoCopyError, ObjectNotFoundError, StorageError, UnreachableError, ended

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_LATER = "Run the same command again in a while."
_CHECK_NETWORK = "Check the network and the address, then run the same command again."
_MAX_REDIRECTS = 3
_NO_COPY_ATTEMPTS = 4  # a few seconds; a region may be down for days
_FIRST_PAUSE, _LONGEST_PAUSE, _MAX_RETRY_AFTER = 0.5, 60.0, 600.0


@dataclass(frozen=True)
class _Request:
    """One request, whose response body may have `limit` bytes, or `whole_limit` if not a range.

    `is_call`: a POST whose response body is used; of other POSTs only the status is.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: int = 1 << 20
    whole_limit: int = 0
    is_call: bool = False


class HttpClient:
    """Sends requests to the server at `url`, with `headers` in each.

    `patience` is how many seconds one request is retried; `cacert` is a file of certificates to
    trust instead of the system's; `line` limits how fast. `without_copy` collects paths that no
    copy could be read of: a second request for one fails at once.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        patience: float,
        cacert: str,
        without_copy: set[str] | None = None,
        line: Line | None = None,
    ) -> None:
        self.url = url
        self._headers = headers
        self._patience = patience
        self._cacert = cacert
        self._without_copy = set() if without_copy is None else without_copy
        self._line = line or Line()
        self._connections = Connections(patience, cacert, self._line.up)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out the connections: a copy, in this or another process, opens its own."""
        given = self.url, self._headers, self._patience, self._cacert, self._without_copy
        return HttpClient, (*given, self._line)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def request(self, method: str, path: str, **details: Any) -> Response:
        """Send a request until it gets a conclusive response or the patience is used up."""
        request = _Request(method, path, **details)
        deadline = time.monotonic() + self._patience
        pause, without_copy = _FIRST_PAUSE, 0
        while True:
            try:
                response = self._attempt(request)
                check_status(response, path)
            except TransientError as error:
                without_copy += error.has_no_copy
                is_repeated = error.has_no_copy and path in self._without_copy
                if is_repeated or without_copy == _NO_COPY_ATTEMPTS:
                    self._without_copy.add(path)
                    raise NoCopyError(
                        f"No copy of {path} can be read at this moment; it is not deleted. "
                        "Try again later."
                    ) from None
                self._wait(error, pause=pause, deadline=deadline)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except ObjectNotFoundError:
                if method == "DELETE" and pause > _FIRST_PAUSE:
                    return response  # an earlier attempt, whose response was lost, removed it
                raise
            else:
                return response

    def request_presigned(
        self, method: str, url: str, headers: Mapping[str, str], body: BinaryIO | None = None
    ) -> contextlib.closing[urllib3.BaseHTTPResponse]:
        """Send a request to a presigned URL; StorageError if the URL is not safe."""
        if not is_safe(self.url, url):
            raise StorageError("The server names an address that is not safe to use.")
        return contextlib.closing(self._connections.send(method, url, headers, body))

    def read_body(self, response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
        """Read a response's body as fast as it may be, at most one byte more than `limit`."""
        return read_body(response, limit, self._line.down)

    def _wait(self, error: TransientError, *, pause: float, deadline: float) -> None:
        """Sleep before the next attempt; UnreachableError if the patience would not last."""
        # Jitter keeps many clients from retrying at the same moment.
        seconds = pause * random.uniform(0.5, 1.0)  # noqa: S311
        if error.wait is not None:
            seconds = max(seconds, min(error.wait, _MAX_RETRY_AFTER))
        if time.monotonic() + seconds > deadline:
            tried = show_count(self._patience, "second")
            what = f"No success with {self.url} within {tried}: {error}"
            raise UnreachableError(
                f"{ended(what)} {_TRY_LATER if error.has_response else _CHECK_NETWORK}"
            ) from None
        time.sleep(seconds)

    def _attempt(self, request: _Request) -> Response:
        """Make one attempt and follow its redirects."""
        url = request.path if request.path.startswith("http") else self.url + request.path
        headers: Mapping[str, str] = {**self._headers, **request.headers}
        for _ in range(_MAX_REDIRECTS + 1):
            try:
                response = self._exchange(request, url, headers)
            except NETWORK_ERRORS as error:
                raise explain(error, self.url) from error
            if response.status not in _REDIRECTS or request.method not in ("GET", "HEAD"):
                return response
            url, headers = follow(url, response.headers.get("Location", ""), headers)
        raise StorageError("The server redirects in a circle; check the repository's address.")

    def _exchange(self, request: _Request, url: str, headers: Mapping[str, str]) -> Response:
        response = self._connections.send(request.method, url, headers, request.body)
        with contextlib.closing(
            response
        ):  # a connection that was read to its end stays in the pool
            if response.status >= 300:
                body = read_body(response, REASON_SIZE)[:REASON_SIZE]
                return Response(response.status, response.headers, body)
            has_body = request.method in ("GET", "HEAD") or request.is_call
            if has_body and not is_framed(response):
                raise TransientError("the connection broke off")
            limit = request.limit
            if response.status != 206 and request.whole_limit:
                limit = request.whole_limit
            body = self.read_body(response, limit)
        if len(body) > limit:
            raise StorageError("The server sent more than was asked for; nothing of it was used.")
        return Response(response.status, response.headers, body)


def read_body(
    response: urllib3.BaseHTTPResponse, limit: int, throttle: Throttle | None = None
) -> bytes:
    """Read a response's body, at most one byte more than `limit`."""
    parts, size = [], 0
    while size <= limit:
        most = throttle.piece() if throttle else 1 << 20
        part = response.read(min(limit + 1 - size, most), decode_content=False)
        if not part:
            break
        if throttle:
            throttle.pass_on(len(part))
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def is_framed(response: urllib3.BaseHTTPResponse) -> bool:
    """Return False for a truncated head, whose empty body would pass for an empty list.

    It may have been cut within a line: what is left of `chunked`, or no digit of a length.
    """
    if response.version < 11 or response.status == 204:
        return True
    coding = response.headers.get("Transfer-Encoding", "")
    if coding:
        return coding.rpartition(",")[2].strip().lower() == "chunked"
    length = response.headers.get("Content-Length", "").strip()
    return length.isascii() and length.isdecimal()
