"""Waits for events and for requests to stop, without a race between the two."""

import contextlib
import select
import signal
import socket
from collections.abc import Iterator
from types import FrameType

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Raised when the launcher is asked to stop. Not an error, so not an Exception."""


class Signals:
    """Counts the requests to stop and wakes whoever waits, also when a child ends."""

    def __init__(self, wakeup: socket.socket) -> None:
        self.stops = 0
        self._wakeup = wakeup

    def pause(self, seconds: float) -> None:
        """Wait until a signal arrives, at most `seconds`. Raises StopRequested."""
        self.wait(seconds)
        if self.stops:
            raise StopRequested

    def wait(self, seconds: float) -> None:
        """Wait until a signal arrives, at most `seconds`."""
        ready, _, _ = select.select([self._wakeup], [], [], max(0.0, seconds))
        if ready:
            self._wakeup.recv(4096)

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1


@contextlib.contextmanager
def received() -> Iterator[Signals]:
    """Take over the signals for the length of a `with` block."""
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        signals = Signals(reading)
        before = {number: signal.signal(number, signals.stop) for number in _to_stop()}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield signals
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)


def _to_stop() -> list[signal.Signals]:
    """SIGHUP stays ignored where it was: that is what nohup is for."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in STOP if number is not signal.SIGHUP or not ignored]
