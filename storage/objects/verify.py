"""Verifies replicas: reads them from end to end and hashes them, several at a time.

A processor that hashes one stream waits for its own results half of the time; see `native/`.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from nightsafe_native.sha256_mb import LANES, new_digest, update_all

from storage.object_names import MIB, StoreKey
from storage.stores.base import Reader, RegionError, RegionStore
from storage.stores.rate_limits import UNLIMITED, RateLimit

AT_ONCE = LANES
# Bytes of one replica before the next one is read. In quarters of it, receiving from a store
# took a third more processor time; in pieces four times as large, hashing takes more.
PIECE = MIB


class BadBytesError(RegionError):
    """Raised for bytes that were read from end to end and are not the object."""


@dataclass(frozen=True)
class StoredBytes:
    """What should lie under a key of a store: `size` bytes, with this hash (64 hex digits).

    `sha256` is None where the hash is yet to be known.
    """

    store: RegionStore
    key: StoreKey
    size: int
    sha256: str | None
    rate_limit: RateLimit = UNLIMITED


def verify(stored: StoredBytes) -> str:
    """Read bytes from end to end and hash them; return the hash, in 64 hex digits.

    Raises BadBytesError, NoSuchKeyError or UnreadableError if they are not right, and
    RegionUnavailableError if that cannot be told.
    """
    (read,) = _read_all([stored])
    if read.error is not None:
        raise read.error
    return read.hash.hexdigest()


def verify_all(stored: Sequence[StoredBytes]) -> list[Exception | None]:
    """Read and hash several at once, a piece of each in turn; return what is wrong with each.

    That is None, or what `verify` raises.
    """
    return [read.error for read in _read_all(stored)]


def _read_all(stored: Sequence[StoredBytes]) -> list["_Read"]:
    reads = [_Read(one) for one in stored]
    try:
        going = [read for read in reads if read.begin()]
        while going:
            update_all([read.hash for read in going], [read.piece() for read in going])
            going = [read for read in going if read.goes_on()]
    finally:
        for read in reads:
            read.close()
    return reads


class _Read:
    """The bytes under one key while they are read."""

    def __init__(self, stored: StoredBytes) -> None:
        self.hash = new_digest()
        self.error: Exception | None = None
        self._stored = stored
        self._reader: Reader | None = None
        self._taken = 0
        self._buffer = memoryview(bytearray(min(PIECE, stored.size)))

    def begin(self) -> bool:
        """Open the reader; return whether that succeeded."""
        try:
            self._reader = self._stored.store.open(self._stored.key)
        except Exception as error:
            self.error = error
        return self.error is None

    def piece(self) -> memoryview:
        """Read the next piece, valid until the one after it; empty at the end or after an error."""
        room = self._buffer[: self._stored.size - self._taken]
        if self._reader is None or not room:
            return room[:0]
        try:
            count = self._reader.readinto(room)
        except Exception as error:
            self.error = error
            return room[:0]
        self._taken += count
        self._stored.rate_limit.take(count)
        if not count:
            self._fail()
        return room[:count]

    def goes_on(self) -> bool:
        """Return whether there is more to read; if not, check what was read."""
        if self.error is None and self._taken < self._stored.size:
            return True
        if self.error is None:
            self._judge()
        self.close()
        return False

    def close(self) -> None:
        """Close the reader."""
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(RegionError):  # everything was read that is wanted
                reader.close()

    def _judge(self) -> None:
        if self._stored.sha256 not in (None, self.hash.hexdigest()):
            self._fail()
            return
        try:
            if self._reader is not None and self._reader.read(1):
                self.error = BadBytesError(
                    f"there are more than the {self._stored.size} bytes that were stored"
                )
        except Exception as error:
            self.error = error

    def _fail(self) -> None:
        self.error = BadBytesError(
            f"{self._taken} bytes with another hash, where {self._stored.size} were stored"
        )
