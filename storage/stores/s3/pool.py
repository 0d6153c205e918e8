"""A pool of connections to a store."""

import threading
from typing import Generic, Protocol, TypeVar

KEPT = 16  # connections


class Closeable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Close it."""
        ...


Connection = TypeVar("Connection", bound=Closeable)


class Pool(Generic[Connection]):
    """Idle connections to one store, the last one first. Safe between threads."""

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self._lock = threading.Lock()

    def take(self) -> Connection | None:
        """Return one that is idle, which may have ended meanwhile, or None."""
        with self._lock:
            return self.idle.pop() if self.idle else None

    def put(self, connection: Connection) -> None:
        """Keep one, or close it if there are enough."""
        with self._lock:
            if len(self.idle) < KEPT:
                self.idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            idle, self.idle = self.idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        self.close()
