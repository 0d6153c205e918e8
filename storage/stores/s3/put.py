"""PUT of objects over pooled connections, with little overhead.

One signed PUT, whose body is sent only when the store has let it come (`Expect: 100-continue`), so
that what it refuses at once can still go to another region. The general client does the same and
needs two milliseconds of processor time for it, which is as much as hashing 3 MiB.
"""

from datetime import UTC, datetime
from http.client import BadStatusLine, HTTPException, HTTPResponse

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)
from botocore.parsers import RestXMLParser

from storage.object_names import StoreKey
from storage.stores.configuration import S3Region
from storage.stores.s3.connection import LONGEST, Connection, Connections, Head, request_head
from storage.stores.s3.signing import Signer
from storage.stores.s3.streams import PIECE, Upload

VALID = 900  # seconds, as far as stores let clocks differ
PATIENCE = 1.0  # seconds for the store to let the body come; some never say so
CONTINUE = b"100"
# Perhaps another host or region should be asked, which the general client finds.
ELSEWHERE = (b"301", b"302", b"303", b"307", b"308", b"400")


class PutClient:
    """Puts objects into one region's bucket. Safe between threads."""

    def __init__(self, region: S3Region, connections: Connections) -> None:
        self._signer = Signer(region, region.endpoint)
        self.endpoint = region.endpoint
        self.connections = connections

    def put(self, key: StoreKey, body: Upload, *, size: int, checksum: str) -> bool:
        """Write `size` bytes with this SHA-256 (base64) under a key that has none.

        False if nothing was taken from `body` and the general client is to be asked. Raises what
        that client raises, or AbandonedError if the body failed.
        """
        if not self.connections.is_open:
            return False
        if not size:
            body.read()  # there must be nothing; for the store such a request is whole at once
        headers = {
            "Content-Length": str(size),
            "Content-Type": "application/octet-stream",
            "If-None-Match": "*",
            "x-amz-checksum-sha256": checksum,
        }
        url = self._signer.url("PUT", key, headers, seconds=VALID, at=datetime.now(UTC))
        request = request_head("PUT", url, headers | {"Expect": "100-continue"})
        wire = self._find_wire(url)
        if wire is None:
            return False
        try:
            head = _exchange(wire, request, body)
            is_done = _judge(wire, head, body)
        except TimeoutError as error:
            wire.close()
            raise ReadTimeoutError(endpoint_url=self.endpoint, error=error) from error
        except (OSError, HTTPException) as error:
            wire.close()
            raise ConnectionClosedError(endpoint_url=self.endpoint, error=error) from error
        except BaseException:
            wire.close()
            raise
        is_whole = is_done and head.fields.get(b"content-length") == b"0"
        self.connections.give_back(wire, head, is_whole=is_whole)
        return is_done

    def _find_wire(self, url: str) -> Connection | None:
        """Return a connection; None where the general client shall say why there is none."""
        while wire := self.connections.kept.take():
            if not wire.has_ended():
                return wire
            wire.close()
        try:
            return self.connections.connect(url)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self.endpoint, error=error) from error
        except OSError:
            return None


def _exchange(wire: Connection, request: bytes, body: Upload) -> Head:
    """Send a request and, if the store does not refuse it first, its body; return the answer."""
    wire.send(request)
    try:
        with wire.waiting(PATIENCE):
            head = _receive(wire)
    except TimeoutError:
        head = None
    if head is not None and head.status != CONTINUE:
        return head
    try:
        while piece := body.read(PIECE):
            wire.send(piece)
    except BrokenPipeError:
        pass  # the store hung up, and may have said why
    head = _receive(wire)
    while head.status.startswith(b"1"):
        head = _receive(wire)
    return head


def _receive(wire: Connection) -> Head:
    head = wire.receive_head()
    if head is None:
        raise BadStatusLine("the store's answer is none, or cut short")
    return head


def _judge(wire: Connection, head: Head, body: Upload) -> bool:
    """Whether the object was taken; False if the general client should try. Raises ClientError."""
    if head.status == b"200":
        return True
    if head.status in ELSEWHERE and body.is_untouched:
        return False
    answer = HTTPResponse(wire.rest(head), method="PUT")  # type: ignore[arg-type]
    answer.begin()
    whole = {
        "status_code": answer.status,
        "headers": answer.headers,
        "body": answer.read(LONGEST),
    }
    raise ClientError(RestXMLParser().parse(whole, None), "PutObject")
