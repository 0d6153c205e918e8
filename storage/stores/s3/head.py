"""Checks which keys of a batch a store has, without a request for each where it can.

Signed HEADs over connections that are kept. They only ever say yes or "not sure": whoever is not
sure asks through the general client, which knows about retries, redirects and what errors mean.
"""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from storage.object_names import StoreKey
from storage.stores.base import Expected
from storage.stores.configuration import S3Region
from storage.stores.s3.connection import Connection, Connections, Head, request_head
from storage.stores.s3.signing import Signer

HEADERS = {"x-amz-checksum-mode": "ENABLED"}
VALID = 60  # seconds
AT_ONCE = 8  # questions, each on a connection of its own


class HeadClient:
    """Checks keys of one region's bucket. Safe between threads."""

    def __init__(self, region: S3Region, connections: Connections) -> None:
        self.signer = Signer(region, region.endpoint)
        self.connections = connections

    def show(self, expected: Sequence[Expected]) -> list[bool]:
        """Return whether the store has exactly these bytes, for sure, of each in order."""
        heads = self._heads([one.key for one in expected])
        pairs = zip(heads, expected, strict=True)
        return [head is not None and _says(head, one) for head, one in pairs]

    def lack(self, keys: Sequence[StoreKey]) -> list[bool]:
        """Return whether the store has nothing under these keys, for sure, of each in order."""
        missing = (b"HTTP/1.1", b"404")
        heads = self._heads(keys)
        return [head is not None and (head.version, head.status) == missing for head in heads]

    def _heads(self, keys: Sequence[StoreKey]) -> list[Head | None]:
        """Return the store's answer about each key, None where there is none to rely on.

        One thread asks several questions before it waits for the first answer: threads that do
        so took twice the processor time. A store that hangs is waited for once.
        """
        heads: list[Head | None] = [None] * len(keys)
        todo = deque(range(len(keys) if self.connections.is_open else 0))
        asked: deque[tuple[int, Connection, bool]] = deque()
        try:
            while todo or asked:
                while todo and len(asked) < AT_ONCE:
                    asked.append(self._ask(todo.popleft(), keys))
                number, wire, was_kept = asked.popleft()
                heads[number] = self._answer(wire)
                if heads[number] is None and was_kept:  # it may have ended meanwhile
                    asked.append(self._ask(number, keys, anew=True))
        except OSError:
            return heads
        finally:
            for _, wire, _ in asked:
                wire.close()
        return heads

    def _ask(
        self, number: int, keys: Sequence[StoreKey], *, anew: bool = False
    ) -> tuple[int, Connection, bool]:
        """Send a question, and return which it was, where, and whether that had been kept.

        Raises OSError if nobody is there.
        """
        url = self.signer.url("HEAD", keys[number], HEADERS, seconds=VALID, at=datetime.now(UTC))
        request = request_head("HEAD", url, HEADERS)
        while wire := None if anew else self.connections.kept.take():
            try:
                wire.send(request)
            except OSError:
                wire.close()
            else:
                return number, wire, True
        wire = self.connections.connect(url)
        try:
            wire.send(request)
        except BaseException:
            wire.close()
            raise
        return number, wire, False

    def _answer(self, wire: Connection) -> Head | None:
        """Return the answer's head; None if it is none that can be understood.

        Raises TimeoutError if nothing comes.
        """
        try:
            head = wire.receive_head()
        except TimeoutError:
            wire.close()
            raise
        except OSError:
            head = None
        if head is None:
            wire.close()
            return None
        is_all = not wire.ahead
        self.connections.give_back(wire, head, is_whole=is_all)
        return head if is_all else None


def _says(head: Head, expected: Expected) -> bool:
    return (
        (head.version, head.status) == (b"HTTP/1.1", b"200")
        and head.fields.get(b"content-length") == str(expected.size).encode()
        and head.fields.get(b"x-amz-checksum-sha256") == expected.checksum.encode()
        and head.fields.get(b"x-amz-checksum-type", b"FULL_OBJECT") == b"FULL_OBJECT"
    )
