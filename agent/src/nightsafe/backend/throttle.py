"""Limits how fast bytes are sent and received, by the hour, for all processes of a user together.

They share a file that says from when on the line is free: whoever sends a piece reserves it for as
long as that piece may take, and waits for its turn. So ten processes are together as fast as one.
"""

import contextlib
import os
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from nightsafe.amounts import parse_size
from nightsafe.errors import UsageError
from nightsafe.fs.file_locks import lock_file
from nightsafe.schedule.wall_clock import local_zone
from nightsafe.schedule.windows import OpenHours, parse_window

_PIECE_SECONDS = 0.1
_SMALLEST, _LARGEST = 1 << 10, 64 << 10
_AHEAD = 60.0  # seconds; the line is reserved for so long only by a clock that began anew
_MOMENT = struct.Struct("<d")


@dataclass(frozen=True)
class Limit:
    """So many bytes a second, 0 for as fast as can be, at the hours, or at all hours."""

    rate: int
    hours: OpenHours | None = None


def parse_limit(text: str) -> Limit:
    """Read `500K`, or `2M mon-fri 09:00-18:00`; a bare number is KiB a second, as in restic.

    Raises UsageError.
    """
    rate_text, _, hours_text = text.strip().partition(" ")
    try:
        rate = parse_size(f"{rate_text}K" if rate_text.isdecimal() else rate_text)
        hours = OpenHours([parse_window(hours_text)]) if hours_text.strip() else None
    except UsageError:
        raise UsageError(
            f"{text[:80]!a} is no limit; write it like 500K, 2M 09:00-18:00 or 1M mon-fri "
            "08:00-20:00, per second; a bare number is KiB, and 0 no limit."
        ) from None
    return Limit(rate, hours)


@dataclass(frozen=True)
class Throttle:
    """One direction of the line: the first limit whose hours it is holds, or none.

    `path` is the file that all processes share.
    """

    limits: Sequence[Limit]
    path: str
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), compare=False)

    def __reduce__(self) -> tuple[object, ...]:
        return Throttle, (self.limits, self.path)

    def rate(self) -> int:
        """Return how many bytes a second may pass now; 0 for as many as can."""
        for limit in self.limits:
            if limit.hours is None or limit.hours.is_open(self.now(), local_zone()):
                return limit.rate
        return 0

    def piece(self) -> int:
        """Return how many bytes are passed at a time."""
        rate = self.rate()
        return min(max(int(rate * _PIECE_SECONDS), _SMALLEST), _LARGEST) if rate else 1 << 20

    def pass_on(self, size: int) -> None:
        """Wait until so many bytes, of one piece, may have passed."""
        rate = self.rate()
        if rate and size:
            wait = self._reserve(size / rate)
            if wait > 0:
                time.sleep(wait)

    def _reserve(self, seconds: float) -> float:
        """Reserve the line; return in how many seconds the reservation begins."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError:  # nothing can be shared, so each process is limited by itself
            return _alone(self.path, seconds)
        try:
            with contextlib.suppress(OSError):  # without locks it is a little less exact
                lock_file(fd, wait=True)
            now = time.monotonic()
            raw = os.read(fd, _MOMENT.size)
            free = _MOMENT.unpack(raw)[0] if len(raw) == _MOMENT.size else now
            start = free if now <= free <= now + _AHEAD else now
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(fd, _MOMENT.pack(start + seconds))
            return start - now
        except OSError:
            return _alone(self.path, seconds)
        finally:
            os.close(fd)


_lock = threading.Lock()
_free: dict[str, float] = {}


def _alone(path: str, seconds: float) -> float:
    with _lock:
        now = time.monotonic()
        start = max(_free.get(path, now), now)
        _free[path] = start + seconds
        return start - now


@dataclass(frozen=True)
class Line:
    """Both directions."""

    up: Throttle | None = None
    down: Throttle | None = None


class SlowBody:
    """A request's body that is read no faster than it may be sent."""

    def __init__(self, body: BinaryIO, throttle: Throttle) -> None:
        self._body, self._throttle = body, throttle

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, at most `size` bytes of it, once its turn has come."""
        most = self._throttle.piece()
        part = self._body.read(most if size < 0 else min(size, most))
        self._throttle.pass_on(len(part))
        return part
