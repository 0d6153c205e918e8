"""A quick look at whether a store has exactly the bytes that were meant, for whole batches.

One signed HEAD over a connection that is kept, its answer read no further than the headers that
matter: the general client takes a millisecond for each, the standard library's half of one. It only
ever says yes or "not sure": whoever is not sure asks through the general client, which knows about
retries, redirects and what errors mean.
"""

import socket
import ssl
import threading
import urllib.request
from datetime import UTC, datetime
from urllib.parse import urlsplit

from storage.names import KIB, StoreKey
from storage.regions.configuration import S3Region
from storage.regions.s3_kept import Kept
from storage.regions.s3_signing import Signer

HEADERS = {"x-amz-checksum-mode": "ENABLED"}
VALID = 60  # seconds
LONGEST = 64 * KIB  # bytes of an answer's headers
END = b"\r\n\r\n"


class Heads:
    """Looks at keys of one region's bucket. Safe between threads."""

    def __init__(self, region: S3Region) -> None:
        self._signer = Signer(region, region.endpoint)
        self._timeout = region.read_timeout
        self._kept = Kept[socket.socket]()
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        # Through somebody's proxy it is for the general client to find the way.
        self._is_open = not urllib.request.getproxies()

    def shows(self, key: StoreKey, *, size: int, checksum: str) -> bool:
        """Whether the store has `size` bytes with this SHA-256 (base64) under a key, for sure."""
        if not self._is_open:
            return False
        url = self._signer.url("HEAD", key, HEADERS, seconds=VALID, at=datetime.now(UTC))
        status, fields = self._ask(url)
        return (
            status == b"200"
            and fields.get(b"content-length") == str(size).encode()
            and fields.get(b"x-amz-checksum-sha256") == checksum.encode()
            and fields.get(b"x-amz-checksum-type", b"FULL_OBJECT") == b"FULL_OBJECT"
        )

    def _ask(self, url: str) -> tuple[bytes | None, dict[bytes, bytes]]:
        """Return the answer's status and fields; no status if there is none to be understood."""
        was_kept = True
        while was_kept:  # one that was kept may have ended meanwhile
            connection = self._kept.take()
            was_kept = connection is not None
            try:
                connection = connection or self._connect(url)
                connection.sendall(_request(url))
                status, fields = _parse(_receive_head(connection))
            except OSError as error:
                status, fields = None, {}
                # A store that hangs would hang again at the next one.
                was_kept = was_kept and not isinstance(error, TimeoutError)
            if status is not None and connection is not None:
                if fields.get(b"connection", b"").lower() == b"close":
                    connection.close()
                else:
                    self._kept.put(connection)
                return status, fields
            if connection is not None:
                connection.close()
        return None, {}

    def _connect(self, url: str) -> socket.socket:
        address = urlsplit(url)
        host = address.hostname or ""
        is_secure = address.scheme == "https"
        port = address.port or (443 if is_secure else 80)
        connection = socket.create_connection((host, port), timeout=self._timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not is_secure:
            return connection
        with self._lock:
            self._context = self._context or ssl.create_default_context()
        return self._context.wrap_socket(connection, server_hostname=host)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._kept.close()


def _request(url: str) -> bytes:
    address = urlsplit(url)
    lines = [f"HEAD {address.path}?{address.query} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    return "\r\n".join([*lines, "Accept-Encoding: identity", "", ""]).encode()


def _receive_head(connection: socket.socket) -> bytes:
    """Return an answer to a HEAD; nothing if it is cut short, too long or has more behind."""
    head = b""
    while END not in head:
        piece = connection.recv(LONGEST)
        head += piece
        if not piece or len(head) > LONGEST:
            return b""
    return head if head.index(END) + len(END) == len(head) else b""


def _parse(head: bytes) -> tuple[bytes | None, dict[bytes, bytes]]:
    """Return status and fields of an answer in HTTP/1.1; no status if it is not quite one.

    A field that comes twice has no value that anybody could rely on.
    """
    first, *lines = head.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    if version != b"HTTP/1.1":
        return None, {}
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        fields[name] = b"" if name in fields else value.strip()
    return rest[:3], fields
