"""Buffers in memory shared by all processes, into which large files are read once.

A buffer keeps what was read until its chunks are found and the workers that store them are done.
Places are offsets in the whole memory.
"""

from nightsafe.workers.buffers import new_shared_memory

_WORTH_FILLING = 1 << 20


class SharedBuffers:
    """`count` buffers of `size` bytes. One of them is current, that is, filled from its beginning.

    The memory costs nothing before it is written to; lower buffers are used before higher ones.
    """

    def __init__(self, size: int, count: int) -> None:
        self.memory = memoryview(new_shared_memory(size * count))
        self._size = size
        self._users = [0] * count
        self._current = -1
        self._used = 0

    def begin(self) -> int | None:
        """Where another file may be read to; None if no buffer is free yet."""
        if self._current >= 0 and self.end - self._used >= _WORTH_FILLING:
            return self._used
        return self._take_free()

    @property
    def end(self) -> int:
        """Where the current buffer ends."""
        return (self._current + 1) * self._size

    def buffer_of(self, place: int) -> int:
        """The number of the buffer in which a piece begins at `place`."""
        return place // self._size

    def move(self, start: int, size: int) -> int | None:
        """Begin another buffer with `size` bytes from `start` on; None if none is free yet."""
        place = self._take_free()
        if place is not None:
            self.memory[place : place + size] = self.memory[start : start + size]
        return place

    def end_file(self, place: int) -> None:
        """Say that a file has ended at `place`; the next one may follow."""
        self._used = place

    def acquire(self, buffer: int) -> None:
        """Keep what is in a buffer, until as many calls of `release`."""
        self._users[buffer] += 1

    def release(self, buffer: int) -> None:
        """Undo one `acquire`."""
        self._users[buffer] -= 1

    def _take_free(self) -> int | None:
        free = [n for n, users in enumerate(self._users) if not users and n != self._current]
        if not free:
            return None
        self._current = free[0]
        self._used = self._current * self._size
        return self._used
