"""Limits bandwidth and concurrency of each region.

`NIGHTSAFE_COPY_RATES="b=20M"` holds copying from and to region b to 20 million bytes a second in
each worker process; `NIGHTSAFE_SCRUB_RATES` does the same for reading back.
"""

import re
import threading
import time
from collections.abc import Mapping
from functools import lru_cache

from django.conf import settings

from storage.stores.amounts import parse_bytes
from storage.stores.base import Source

# Into a region, by one worker process. More kept a small store busy with its own memory: with
# eight, SeaweedFS needed half as much processor time again for the same bytes.
COPIES_AT_ONCE = 3
SCRUB_RATE = 64_000_000  # bytes a second
BURST = 0.25  # seconds that may be caught up


def parse_rate(text: str) -> float:
    """Return bytes a second from `20M`, `1.5G`, `500k` or a plain number. Raises ValueError."""
    try:
        return parse_bytes(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no rate: write bytes a second, as in 20M, 500k or 1.5G."
        ) from None


def parse_slots(text: str) -> int:
    """Return a number of slots. Raises ValueError."""
    if not re.fullmatch(r"[1-9]\d?", text.strip()):
        raise ValueError(f"{text!r} is no number of copies: write one from 1 to 99.")
    return int(text)


def slots(alias: str) -> int:
    """Return how many replicas one worker process may make into a region at once."""
    return parse_slots(settings.COPIES_AT_ONCE.get(alias, str(COPIES_AT_ONCE)))


def copying(alias: str) -> "RateLimit":
    """Return the limit on copying from and to a region, in this process."""
    return _throttle("copy", alias, _rate(settings.COPY_RATES, alias, 0.0))


def scrubbing(alias: str) -> "RateLimit":
    """Return the limit on reading back in a region, in this process."""
    return _throttle("scrub", alias, _rate(settings.SCRUB_RATES, alias, SCRUB_RATE))


def _rate(rates: Mapping[str, str], alias: str, otherwise: float) -> float:
    return parse_rate(rates[alias]) if alias in rates else otherwise


@lru_cache(maxsize=256)
def _throttle(kind: str, alias: str, rate: float) -> "RateLimit":
    return RateLimit(rate)


class RateLimit:
    """Lets `rate` bytes a second through, all threads together; 0 lets everything through."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, count: int) -> None:
        """Wait until `count` bytes more may have flowed."""
        if not self.rate:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - BURST) + count / self.rate
            wait = self._free_at - now
        if wait > 0:
            time.sleep(wait)


UNLIMITED = RateLimit(0)


class RateLimited:
    """A source that gives its bytes no faster than all of its rate limits allow."""

    def __init__(self, source: Source, *limits: RateLimit) -> None:
        self._source = source
        self._limits = [limit for limit in limits if limit.rate]

    def read(self, size: int, /) -> bytes:
        """See Source."""
        piece = self._source.read(size)
        for limit in self._limits:
            limit.take(len(piece))
        return piece
