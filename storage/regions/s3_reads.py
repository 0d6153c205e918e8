"""Reading objects over connections that are kept, with little work for each.

One signed GET. It either begins to give exactly the bytes that were asked for, or says nothing:
then the general client asks again, which knows about retries, redirects and what errors mean, and
needs several milliseconds for it.
"""

import http.client
import ssl
import threading
import urllib.request
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from storage.names import StoreKey
from storage.regions.configuration import S3Region
from storage.regions.s3_kept import Kept
from storage.regions.s3_signing import Signer

VALID = 60  # seconds


class Stream:
    """What is left of an answer's body. Its connection is kept once it was read to the end."""

    def __init__(
        self,
        reads: "Reads",
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
    ) -> None:
        self._reads = reads
        self._connection = connection
        self._answer = answer

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end, or where the connection broke."""
        return self._answer.read(size)

    def close(self) -> None:
        """Let go of it."""
        is_read = self._answer.isclosed() and not self._answer.length
        if is_read and not self._answer.will_close:
            self._reads.kept.put(self._connection)
        else:
            self._answer.close()
            self._connection.close()


class Reads:
    """Opens keys of one region's bucket. Safe between threads."""

    def __init__(self, region: S3Region) -> None:
        self._signer = Signer(region, region.endpoint)
        self._timeout = region.read_timeout
        self.kept = Kept[http.client.HTTPConnection]()
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        # Through somebody's proxy it is for the general client to find the way.
        self._is_open = not urllib.request.getproxies()

    def open(self, key: StoreKey, start: int, length: int | None) -> tuple[Stream, int] | None:
        """Return a stream of a span (None: to the end) and how many bytes it will give, if sure.

        Raises TimeoutError if the store is there and does not answer.
        """
        if not self._is_open:
            return None
        is_whole = start == 0 and length is None
        end = "" if length is None else str(start + length - 1)
        headers = {} if is_whole else {"Range": f"bytes={start}-{end}"}
        url = self._signer.url("GET", key, {}, seconds=VALID, at=datetime.now(UTC))
        address = urlsplit(url)
        asked = self._ask(address, headers)
        if asked is None:
            return None
        connection, answer = asked
        span = answer.headers.get("Content-Range", "")
        is_right = answer.status == (HTTPStatus.OK if is_whole else HTTPStatus.PARTIAL_CONTENT)
        if not is_right or answer.length is None or not (is_whole or _begins(span, start)):
            answer.close()
            connection.close()
            return None
        return Stream(self, connection, answer), answer.length

    def close(self) -> None:
        """Close the connections that are kept."""
        self.kept.close()

    def _ask(
        self, address: SplitResult, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse] | None:
        was_kept = True
        while was_kept:  # one that was kept may have ended meanwhile
            connection = self.kept.take()
            was_kept = connection is not None
            connection = connection or self._connect(address.scheme, address.netloc)
            try:
                connection.request("GET", f"{address.path}?{address.query}", headers=headers)
                return connection, connection.getresponse()
            except TimeoutError:
                connection.close()
                raise
            except (OSError, http.client.HTTPException):
                connection.close()
        return None

    def _connect(self, scheme: str, host: str) -> http.client.HTTPConnection:
        with self._lock:
            if scheme == "https" and self._context is None:
                self._context = ssl.create_default_context()
        if scheme == "https":
            return http.client.HTTPSConnection(host, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(host, timeout=self._timeout)


def _begins(span: str, start: int) -> bool:
    return span.startswith(f"bytes {start}-")
