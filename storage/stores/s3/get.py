"""GET of objects over pooled connections, with little overhead.

One signed GET. It either begins to give exactly the bytes that were asked for, or says nothing:
then the general client asks again, which knows about retries, redirects and what errors mean, and
needs several milliseconds for it.
"""

import io
from datetime import UTC, datetime

from storage.object_names import StoreKey
from storage.stores.configuration import S3Region
from storage.stores.s3.connection import Connection, Connections, Head, request_head
from storage.stores.s3.signing import Signer

VALID = 60  # seconds


class Stream:
    """An answer's body of `size` bytes. Its connection is kept once it was read to the end."""

    def __init__(self, connections: Connections, wire: Connection, head: Head, size: int) -> None:
        self._connections = connections
        self._head = head
        self._wire: Connection | None = wire
        self._body = _Body(wire, size)
        self._reader = io.BufferedReader(self._body)

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, fewer at the end. Raises OSError."""
        return self._reader.read(size)

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer`, less of it at the end; return how much. Raises OSError."""
        return self._reader.readinto(buffer)

    def close(self) -> None:
        """Let go of it."""
        wire, self._wire = self._wire, None
        if wire is not None:
            self._connections.give_back(wire, self._head, is_whole=not self._body.left)


class _Body(io.RawIOBase):
    """The next `left` bytes of a connection, and none beyond them."""

    def __init__(self, wire: Connection, size: int) -> None:
        super().__init__()
        self.left = size
        self._wire = wire

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill some of `buffer`; return how much."""
        room = buffer[: self.left]
        count = self._wire.receive_into(room) if room else 0
        self.left -= count
        return count


class GetClient:
    """Opens keys of one region's bucket. Safe between threads."""

    def __init__(self, region: S3Region, connections: Connections) -> None:
        self._signer = Signer(region, region.endpoint)
        self.connections = connections

    def open(self, key: StoreKey, start: int, length: int | None) -> tuple[Stream, int] | None:
        """Return a stream of a span (None: to the end) and how many bytes it will give, if sure.

        Raises TimeoutError if the store is there and does not answer.
        """
        if not self.connections.is_open:
            return None
        is_whole = start == 0 and length is None
        end = "" if length is None else str(start + length - 1)
        headers = {} if is_whole else {"Range": f"bytes={start}-{end}"}
        url = self._signer.url("GET", key, {}, seconds=VALID, at=datetime.now(UTC))
        asked = self.connections.ask(url, request_head("GET", url, headers))
        if asked is None:
            return None
        wire, head = asked
        size = _size(head)
        span = head.fields.get(b"content-range", b"")
        is_right = head.status == (b"200" if is_whole else b"206")
        if not is_right or size is None or not (is_whole or _begins(span, start)):
            wire.close()
            return None
        return Stream(self.connections, wire, head, size), size


def _size(head: Head) -> int | None:
    """Return the length of the body that follows, if it comes as it is."""
    length = head.fields.get(b"content-length", b"")
    is_plain = not {b"transfer-encoding", b"content-encoding"} & head.fields.keys()
    return int(length) if is_plain and length.isdigit() else None


def _begins(span: bytes, start: int) -> bool:
    return span.startswith(b"bytes %d-" % start)
