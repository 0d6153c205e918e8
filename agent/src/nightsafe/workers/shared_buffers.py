"""Buffers in memory shared by all processes, into which large files are read once.

A room holds what was read until its chunks are found and whoever stores them is done.
"""

from nightsafe.workers.buffers import new_shared_memory

_LITTLE = 1 << 20


class SharedBuffers:
    """Some rooms of `size` bytes. One of them is open, that is, being filled from its beginning.

    The memory costs nothing before it is written to; lower rooms are used before higher ones.
    """

    def __init__(self, size: int, count: int) -> None:
        self.memory = memoryview(new_shared_memory(size * count))
        self._size = size
        self._users = [0] * count
        self._open = -1
        self._used = 0

    def begin(self) -> int | None:
        """Where in the memory another file may be read to; None if no room is free yet."""
        if self._open >= 0 and self.end - self._used >= _LITTLE:
            return self._used
        return self._enter()

    @property
    def end(self) -> int:
        """Where the open room ends."""
        return (self._open + 1) * self._size

    def room_of(self, place: int) -> int:
        """The number of the room in which a piece begins at `place`."""
        return place // self._size

    def move(self, start: int, held: int) -> int | None:
        """Begin another room with `held` bytes from `start` on; None if none is free yet."""
        place = self._enter()
        if place is not None:
            self.memory[place : place + held] = self.memory[start : start + held]
        return place

    def leave(self, place: int) -> None:
        """A file has ended there; the next one may follow."""
        self._used = place

    def hold(self, room: int) -> None:
        """Keep what is in a room, until as many calls of `release`."""
        self._users[room] += 1

    def release(self, room: int) -> None:
        """The counterpart of `hold`."""
        self._users[room] -= 1

    def _enter(self) -> int | None:
        free = [n for n, users in enumerate(self._users) if not users and n != self._open]
        if not free:
            return None
        self._open = free[0]
        self._used = self._open * self._size
        return self._used
