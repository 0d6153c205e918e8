"""The gateway's web process: customers' bytes, apart from the site so that neither starves."""

import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from gunicorn.http.body import Body, ChunkedReader, LengthReader

from backup_service.gc_tuning import keep_what_is_loaded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
os.environ.setdefault("NIGHTSAFE_ROLE", "gateway")

_django = get_wsgi_application()
keep_what_is_loaded()


class SocketBody:
    """A request's body straight from its socket: gunicorn's own reader copies it three times over.

    gunicorn's reader is told what was taken, so that it knows where the next request begins.
    """

    def __init__(self, body: Body, client: socket.socket) -> None:
        self._body = body
        self._reader: LengthReader = body.reader
        self._client = client
        self._is_ahead = True  # some of the body may have come with the headers

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end or when the client has gone."""
        size = min(size, self._reader.length)
        if not size:
            return b""
        piece = self._take_ahead(size) or self._receive(size)
        self._reader.length -= len(piece)
        return piece

    def _take_ahead(self, size: int) -> bytes:
        if not self._is_ahead:
            return b""
        unreader = self._reader.unreader
        ahead: bytes = unreader.take_buffered()
        self._is_ahead = len(ahead) > size
        if self._is_ahead:
            unreader.unread(ahead[size:])
        return ahead[:size]

    def _receive(self, size: int) -> bytes:
        piece = b""
        try:
            piece = self._client.recv(size)
        finally:
            self._body.failed = not piece  # this connection takes no further request then
        return piece


class ChunkedBody:
    """A body in chunks as it comes, only ever read to be thrown away.

    gunicorn's reader waits until a piece is whole, however slowly it comes. Nothing is parsed
    here, so nobody knows where the next request begins, and the connection ends with this one.
    """

    def __init__(self, body: Body, client: socket.socket) -> None:
        body.failed = True  # this connection takes no further request then
        self._ahead: bytes = body.reader.req.unreader.take_buffered()
        self._client = client
        self._last = b"\r\n"
        self._is_ended = False

    def read(self, size: int, /) -> bytes:
        """Return what has come, about `size` bytes at most, and none after the last chunk."""
        if self._is_ended:
            return b""
        piece, self._ahead = self._ahead or self._client.recv(size), b""
        end = b"\r\n0\r\n"
        self._is_ended = end in self._last + piece  # or a chunk that holds this, once in 10**12
        self._last = (self._last + piece)[1 - len(end) :]
        return piece


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request, whose body is read as it comes."""
    client: socket.socket | None = environ.get("gunicorn.socket")
    body = environ["wsgi.input"]
    reader = getattr(body, "reader", None)
    if client is not None and isinstance(reader, LengthReader):
        environ["nightsafe.body"] = lambda: SocketBody(body, client)
    elif client is not None and isinstance(reader, ChunkedReader):
        environ["nightsafe.body"] = lambda: ChunkedBody(body, client)
    return _django(environ, start_response)
