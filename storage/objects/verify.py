"""Verifies replicas: reads them from end to end and hashes them, several at a time.

A processor that hashes one stream waits for its own results half of the time; see `lanes/`.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from nightsafe_lanes import LANES, new_digest, update_all

from storage.models import Replica
from storage.object_names import MIB, StoreKey
from storage.stores.base import Reader, RegionError, RegionStore
from storage.stores.rate_limits import RateLimit

AT_ONCE = LANES
# Bytes of one copy before it is the next one's turn. In quarters of it, receiving from a store took
# a third more processor time; in pieces four times as large, hashing takes more.
PIECE = MIB


class BadBytesError(RegionError):
    """A copy that was read from end to end is not the object."""


@dataclass(frozen=True)
class Place:
    """Where a copy's bytes lie, or are to lie."""

    replica: Replica
    store: RegionStore
    key: StoreKey
    throttle: RateLimit


@dataclass(frozen=True)
class Sought:
    """What should be found at a place: so many bytes with that hash, in 64 hex digits."""

    place: Place
    size: int
    sha256: str


def prove_all(sought: Sequence[Sought]) -> list[Exception | None]:
    """Read and hash copies from end to end, a piece of each in turn; say what is wrong with each.

    That is None, BadBytesError, NoSuchKeyError, UnreadableError, or RegionUnavailableError if it
    cannot be told.
    """
    looks = [_Look(one) for one in sought]
    try:
        going = [look for look in looks if look.begin()]
        while going:
            update_all([look.hash for look in going], [look.piece() for look in going])
            going = [look for look in going if look.goes_on()]
    finally:
        for look in looks:
            look.close()
    return [look.error for look in looks]


class _Look:
    """One copy that is being read."""

    def __init__(self, sought: Sought) -> None:
        self.hash = new_digest()
        self.error: Exception | None = None
        self._sought = sought
        self._reader: Reader | None = None
        self._taken = 0
        self._buffer = memoryview(bytearray(min(PIECE, sought.size)))

    def begin(self) -> bool:
        """Open it; whether that succeeded."""
        place = self._sought.place
        try:
            self._reader = place.store.open(place.key)
        except Exception as error:
            self.error = error
        return self.error is None

    def piece(self) -> memoryview:
        """The next piece, until the one after it; nothing at the end, or where it is broken."""
        room = self._buffer[: self._sought.size - self._taken]
        if self._reader is None or not room:
            return room[:0]
        try:
            count = self._reader.readinto(room)
        except Exception as error:
            self.error = error
            return room[:0]
        self._taken += count
        self._sought.place.throttle.take(count)
        if not count:
            self._fail()
        return room[:count]

    def goes_on(self) -> bool:
        """Whether there is more to come; if not, judge what came."""
        if self.error is None and self._taken < self._sought.size:
            return True
        if self.error is None:
            self._judge()
        self.close()
        return False

    def close(self) -> None:
        """Let go of it."""
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(RegionError):  # everything was read that is wanted
                reader.close()

    def _judge(self) -> None:
        if self.hash.hexdigest() != self._sought.sha256:
            self._fail()
            return
        try:
            if self._reader is not None and self._reader.read(1):
                stored = f"the {self._sought.size} bytes that were stored"
                self.error = BadBytesError(f"there are more than {stored}")
        except Exception as error:
            self.error = error

    def _fail(self) -> None:
        self.error = BadBytesError(
            f"{self._taken} bytes with another hash, where {self._sought.size} were stored"
        )
