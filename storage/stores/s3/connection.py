"""Speaks HTTP/1.1 to stores, with little overhead per request.

The general client for stores takes a millisecond or two for a request, the standard library's
half of one. What this understands is HTTP/1.1 as stores speak it, no more; whoever reads an answer
here must have the general client to turn to when it is another one.
"""

import io
import select
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from storage.object_names import KIB
from storage.stores.configuration import S3Region
from storage.stores.s3.pool import Pool

LONGEST = 64 * KIB  # bytes of an answer's head
END = b"\r\n\r\n"


@dataclass(frozen=True)
class Head:
    """The head of an answer. A field that came twice is empty: nobody could rely on it."""

    version: bytes
    status: bytes  # three digits
    fields: dict[bytes, bytes]  # by names in small letters
    text: bytes  # all of it, as it came

    @property
    def is_last(self) -> bool:
        """Whether the store hangs up after this answer."""
        says = self.fields.get(b"connection", b"").lower()
        return self.version != b"HTTP/1.1" or says == b"close"


class Connection:
    """One connection, and what it brought beyond what was asked for: `ahead`."""

    def __init__(self, connection: socket.socket) -> None:
        self.ahead = b""
        self._socket = connection

    def send(self, piece: bytes) -> None:
        """Send all of it. Raises OSError."""
        self._socket.sendall(piece)

    def receive_head(self) -> Head | None:
        """Return the next answer's head; None if it is none, or cut short.

        Raises OSError, which is TimeoutError if nothing comes; what came until then is kept.
        """
        while END not in self.ahead:
            piece = self._socket.recv(LONGEST)
            self.ahead += piece
            if not piece or len(self.ahead) > LONGEST:
                return None
        head, end, self.ahead = self.ahead.partition(END)
        return _parse(head + end)

    def receive_into(self, buffer: memoryview) -> int:
        """Fill some of `buffer`; return how much, none at the end. Raises OSError."""
        if not self.ahead:
            return self._socket.recv_into(buffer)
        piece = self.ahead[: len(buffer)]
        self.ahead = self.ahead[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Wait for no longer than this in a `with` block."""
        usual = self._socket.gettimeout()
        self._socket.settimeout(seconds)
        try:
            yield
        finally:
            self._socket.settimeout(usual)

    def has_ended(self) -> bool:
        """Return whether the store hung up, or speaks unasked, while nobody used it."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def rest(self, head: Head) -> "Replayed":
        """Return an answer from its beginning, for who reads it with the standard library."""
        ahead, self.ahead = head.text + self.ahead, b""
        return Replayed(ahead, self._socket)

    def close(self) -> None:
        """Close it."""
        self._socket.close()


class Replayed(io.RawIOBase):
    """A connection of which `ahead` was read already."""

    def __init__(self, ahead: bytes, connection: socket.socket) -> None:
        super().__init__()
        self._ahead = io.BytesIO(ahead)
        self._socket = connection

    def makefile(self, mode: str) -> io.BufferedReader:
        """As a socket does."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill some of `buffer`; return how much."""
        return self._ahead.readinto(buffer) or self._socket.recv_into(buffer)


class Connections:
    """Connections to a region's endpoint, kept when they are given back. Safe between threads."""

    def __init__(self, region: S3Region) -> None:
        self.kept = Pool[Connection]()
        # Through somebody's proxy it is for the general client to find the way.
        self.is_open = not region.general_only and not urllib.request.getproxies()
        self._connect_timeout = region.connect_timeout
        self._timeout = region.read_timeout
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def connect(self, url: str) -> Connection:
        """Return a new connection for requests to `url`. Raises OSError."""
        address = urlsplit(url)
        host = address.hostname or ""
        is_secure = address.scheme == "https"
        place = (host, address.port or (443 if is_secure else 80))
        connection = socket.create_connection(place, timeout=self._connect_timeout)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if is_secure:
                connection = self._trusting().wrap_socket(connection, server_hostname=host)
            connection.settimeout(self._timeout)
        except BaseException:
            connection.close()
            raise
        return Connection(connection)

    def ask(self, url: str, request: bytes) -> tuple[Connection, Head] | None:
        """Send a request that may be sent twice, and return where its answer comes.

        None if there is no answer that can be understood. Raises TimeoutError if the store is
        there and does not answer: it would hang again at the next request.
        """
        was_kept = True
        while was_kept:  # one that was kept may have ended meanwhile
            wire = self.kept.take()
            was_kept = wire is not None
            try:
                wire = wire or self.connect(url)
                wire.send(request)
                head = wire.receive_head()
            except TimeoutError:
                if wire is not None:
                    wire.close()
                raise
            except OSError:
                head = None
            if wire is not None and head is not None:
                return wire, head
            if wire is not None:
                wire.close()
        return None

    def give_back(self, wire: Connection, head: Head, *, is_whole: bool) -> None:
        """Keep a connection for the next request, if the answer was its last bytes."""
        if is_whole and not wire.ahead and not head.is_last:
            self.kept.put(wire)
        else:
            wire.close()

    def close(self) -> None:
        """Close what is kept."""
        self.kept.close()

    def _trusting(self) -> ssl.SSLContext:
        with self._lock:
            self._context = self._context or ssl.create_default_context()
        return self._context


def request_head(method: str, url: str, headers: dict[str, str]) -> bytes:
    """Return the head of a request to an address that was signed."""
    host, _, path = url.partition("://")[2].partition("/")
    lines = [f"{method} /{path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Accept-Encoding: identity", "", ""]).encode()


def _parse(text: bytes) -> Head | None:
    first, *lines = text.removesuffix(END).split(b"\r\n")
    version, _, rest = first.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
        return None
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        fields[name] = b"" if name in fields else value.strip()
    return Head(version, rest[:3], fields, text)
