"""A quick look at whether a store has exactly the bytes that were meant, for whole batches.

One signed HEAD over a connection that is kept. It only ever says yes or "not sure": whoever is not
sure asks through the general client, which knows about retries, redirects and what errors mean.
"""

from datetime import UTC, datetime

from storage.names import StoreKey
from storage.regions.configuration import S3Region
from storage.regions.s3_signing import Signer
from storage.regions.s3_wire import Head, Wires, request_head

HEADERS = {"x-amz-checksum-mode": "ENABLED"}
VALID = 60  # seconds


class Heads:
    """Looks at keys of one region's bucket. Safe between threads."""

    def __init__(self, region: S3Region, wires: Wires) -> None:
        self._signer = Signer(region, region.endpoint)
        self._wires = wires

    def shows(self, key: StoreKey, *, size: int, checksum: str) -> bool:
        """Whether the store has `size` bytes with this SHA-256 (base64) under a key, for sure."""
        if not self._wires.is_open:
            return False
        url = self._signer.url("HEAD", key, HEADERS, seconds=VALID, at=datetime.now(UTC))
        head = self._ask(url)
        return (
            head is not None
            and (head.version, head.status) == (b"HTTP/1.1", b"200")
            and head.fields.get(b"content-length") == str(size).encode()
            and head.fields.get(b"x-amz-checksum-sha256") == checksum.encode()
            and head.fields.get(b"x-amz-checksum-type", b"FULL_OBJECT") == b"FULL_OBJECT"
        )

    def _ask(self, url: str) -> Head | None:
        """Return the answer's head; None if there is no answer that can be understood."""
        try:
            asked = self._wires.ask(url, request_head("HEAD", url, HEADERS))
        except TimeoutError:
            return None
        if asked is None:
            return None
        wire, head = asked
        is_all = not wire.ahead
        self._wires.give_back(wire, head, is_whole=is_all)
        return head if is_all else None
