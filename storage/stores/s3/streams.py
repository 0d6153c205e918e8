"""Streams bodies to and from an S3-compatible store."""

import hashlib
import io
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, HTTPClientError

from storage.object_names import KIB, SIZE_LIMITS, ObjectType, StoreKey
from storage.stores.base import (
    Reader,
    RegionError,
    RegionUnavailableError,
    Source,
    UnreadableError,
)

# The client asks for 128 KiB at a time and sends whatever it gets: fewer calls are a tenth cheaper.
PIECE = 512 * KIB
STUMBLES = 2  # times in a row that a download is taken up again without a byte between


Taken = TypeVar("Taken", bytes, int)


class AbandonedError(Exception):
    """Breaks the request off, in place of what the source raised, which is kept in `failure`."""


class Upload:
    """What the client reads its request's body from: exactly `size` bytes of `source`.

    The last piece is handed on only when nothing follows it, so a body of another length is
    never completed. `failure` is what went wrong at the source, not at the store.
    """

    def __init__(self, source: Source, size: int) -> None:
        self.failure: BaseException | None = None
        self._source = source
        self._size = size
        self._left = size

    def __len__(self) -> int:
        return self._size

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was read, so that it can still be sent in another way."""
        return self._left == self._size and self.failure is None

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes or PIECE, none at the end. Raises AbandonedError."""
        if self._left == 0 and self._size:
            return b""
        try:
            return self._read(self._left if size < 0 else min(max(size, PIECE), self._left))
        except BaseException as error:
            self.failure = error
            raise AbandonedError("the source of an upload failed") from error

    def _read(self, size: int) -> bytes:
        piece = self._source.read(size) if size else b""
        self._left -= len(piece)
        if self._left and not piece:
            came = self._size - self._left
            raise RegionError(f"{came} bytes came where {self._size} were announced.")
        if self._left == 0 and self._source.read(1):
            raise RegionError(f"More bytes came than the {self._size} that were announced.")
        return piece


class Download(Reader):
    """`length` bytes of an object, taken up again where the connection broke.

    `reopen(start, length)` gives the stream of what is left; `check` raises
    RegionUnavailableError if the whole region, rather than this object, is the matter.
    """

    def __init__(
        self,
        stream: Any,
        *,
        start: int,
        length: int,
        reopen: Callable[[int, int], Any],
        check: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._offset = start
        self._left = length
        self._reopen = reopen
        self._check = check
        self._stumbles = 0

    def read(self, size: int, /) -> bytes:
        """See Reader."""
        size = min(size, self._left)
        return self._persist(lambda stream: bytes(stream.read(size)), len) if size else b""

    def readinto(self, buffer: memoryview, /) -> int:
        """See Reader."""
        buffer = buffer[: self._left]
        return self._persist(lambda stream: int(stream.readinto(buffer)), int) if buffer else 0

    def close(self) -> None:
        """See Reader."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _persist(self, take: Callable[[Any], Taken], count: Callable[[Taken], int]) -> Taken:
        """Read from the stream, or from a reopened one that continues it."""
        while True:
            with suppress(BotoCoreError, HTTPClientError, HTTPException, OSError):
                if self._stream is None:
                    self._stream = self._reopen(self._offset, self._left)
                taken = take(self._stream)
                if taken:
                    self._stumbles = 0
                    self._offset += count(taken)
                    self._left -= count(taken)
                    return taken
            self._stumble()

    def _stumble(self) -> None:
        self.close()
        self._stumbles += 1
        if self._stumbles > STUMBLES:
            self._check()
            raise UnreadableError(
                f"The bytes from {self._offset} on cannot be read: the connection breaks each time."
            )


class Nothing(Reader):
    """A span without bytes."""

    def read(self, size: int, /) -> bytes:
        """See Reader."""
        return b""

    def close(self) -> None:
        """See Reader."""


def require_span(answer: Any, start: int) -> int:
    """Return how many bytes an answer to a ranged request brings, if it is the range asked for.

    Raises RegionUnavailableError.
    """
    if not str(answer.get("ContentRange", "")).startswith(f"bytes {start}-"):
        raise RegionUnavailableError("The store does not heed ranges, so it cannot be a region.")
    return int(answer["ContentLength"])


def hashed(key: StoreKey, body: Source, size: int) -> tuple[str, Source]:
    """Return the hash that the bytes must have, and where to read them from.

    A vault's config alone is not named by its hash; it is small, and read first.
    """
    if key.object.expected_sha256 is not None:
        return key.object.expected_sha256, body
    limit = SIZE_LIMITS[ObjectType.CONFIG]
    if size > limit:
        raise RegionError(f"A config has {limit} bytes at most, and {size} were announced.")
    content = b""
    while piece := body.read(limit + 1 - len(content)):
        content += piece
    return hashlib.sha256(content).hexdigest(), io.BytesIO(content)
