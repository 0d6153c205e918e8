"""A client's socket, as the application's thread has it."""

import errno
import socket
import struct
import time
from typing import Any

from backup_service.front.limits import Limits

_PIECE = 256 * 1024  # bytes of a file that are sent at a time
_PATIENCE = struct.pack("ll", 5, 0)  # seconds and microseconds that one call may block


class ClientSocket(socket.socket):
    """Never holds a thread for a client that does not read, or reads too slowly.

    What fits into `kept_bytes` waits here for the loop to send it. Of longer answers each piece is
    waited for, at a least rate on the whole; then the client counts as gone.
    """

    limits: Limits
    request: Any = None  # gunicorn's, while there is one
    _unsent: bytearray
    _waited = 0.0  # seconds that the present answer has waited for its client
    _moved = 0  # bytes that it took in the meantime
    _handed = 0  # bytes of the present answer

    @classmethod
    def of(cls, plain: socket.socket, limits: Limits) -> "ClientSocket":
        """Return the same socket as one of these; the given one is closed."""
        made = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        made.limits, made._unsent = limits, bytearray()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        return made

    def begin(self, request: Any) -> None:
        """A thread begins with a request."""
        self.request = request
        self._waited, self._moved, self._handed = 0.0, 0, 0

    def close_after_answer(self) -> None:
        """Let the answer to the present request say that it is the last on this connection."""
        if self.request is not None:
            self.request.force_close()

    @property
    def has_unsent(self) -> bool:
        """Whether the client has yet to take something."""
        return bool(self._unsent)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send everything, or keep the rest for the loop.

        Raises BrokenPipeError for a client that is gone, or not worth a thread.
        """
        if self.gettimeout() is not None:
            self.setblocking(True)  # so that the system waits, which is cheaper than we are
        left = memoryview(data).cast("B")
        self._handed += len(left)
        if self._handed > self.limits.kept_bytes:
            with memoryview(self._unsent) as kept:
                self._push(kept)
            self._unsent = bytearray()
            self._push(left)
            return
        if not self._unsent:
            left = left[self._offer(left) :]
        self._unsent += left

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, or `count` bytes of it; return how many."""
        file.seek(offset)
        sent = 0
        while count is None or sent < count:
            piece = file.read(_PIECE if count is None else min(_PIECE, count - sent))
            if not piece:
                break
            self.sendall(piece)
            sent += len(piece)
        return sent

    def flush(self) -> bool:
        """Send of what was kept as much as the client takes now; return whether it took any."""
        with memoryview(self._unsent) as kept:
            taken = self._offer(kept)
        del self._unsent[:taken]
        return taken > 0

    def _offer(self, data: memoryview) -> int:
        """Return how many bytes the client takes without being waited for."""
        try:
            return self.send(data, socket.MSG_DONTWAIT) if data else 0
        except BlockingIOError:
            return 0

    def _push(self, data: memoryview) -> None:
        """Send all of it, as fast as the client takes it."""
        limits, taken_last = self.limits, self._waited
        while data:
            begun = time.monotonic()
            try:
                taken = self.send(data)
            except BlockingIOError:
                taken = 0
            self._waited += time.monotonic() - begun
            self._moved += taken
            data = data[taken:]
            if taken:
                taken_last = self._waited
            is_slow = self._moved < self._waited * limits.least_rate
            if self._waited - taken_last >= limits.stall_seconds or (
                is_slow and self._waited > limits.patient_seconds
            ):
                raise BrokenPipeError(errno.EPIPE, "the client does not read, or too slowly")
