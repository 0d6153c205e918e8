"""A quick look at whether a store has exactly the bytes that were meant, for whole batches.

One signed HEAD over a connection that is kept. It only ever says yes or "not sure": whoever is not
sure asks through the general client, which knows about retries, redirects and what errors mean.
"""

import http.client
import ssl
import threading
import urllib.request
from datetime import UTC, datetime
from urllib.parse import urlsplit

from storage.names import StoreKey
from storage.regions.configuration import S3Region
from storage.regions.s3_signing import Signer

HEADERS = {"x-amz-checksum-mode": "ENABLED"}
KEPT = 16  # connections
VALID = 60  # seconds


class Heads:
    """Looks at keys of one region's bucket. Safe between threads."""

    def __init__(self, region: S3Region) -> None:
        self._signer = Signer(region, region.endpoint)
        self._timeout = region.read_timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        # Through somebody's proxy it is for the general client to find the way.
        self._is_open = not urllib.request.getproxies()

    def shows(self, key: StoreKey, *, size: int, checksum: str) -> bool:
        """Whether the store has `size` bytes with this SHA-256 (base64) under a key, for sure."""
        if not self._is_open:
            return False
        url = self._signer.url("HEAD", key, HEADERS, seconds=VALID, at=datetime.now(UTC))
        address = urlsplit(url)
        connection = self._take(address.scheme, address.netloc)
        try:
            connection.request("HEAD", f"{address.path}?{address.query}", headers=HEADERS)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return False
        self._give_back(connection)
        return (
            answer.status == http.HTTPStatus.OK
            and answer.headers.get("Content-Length") == str(size)
            and answer.headers.get("x-amz-checksum-sha256") == checksum
            and answer.headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT"
        )

    def _take(self, scheme: str, host: str) -> http.client.HTTPConnection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if scheme == "https" and self._context is None:
                self._context = ssl.create_default_context()
        if scheme == "https":
            return http.client.HTTPSConnection(host, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(host, timeout=self._timeout)

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < KEPT and connection.sock is not None:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        self.close()
