"""Detects a client that repeats a read, which suggests that it rejected the bytes."""

import threading
import time
from collections import OrderedDict

REMEMBERED = 20_000  # reads
WITHIN = 900.0  # seconds


class RereadDetector:
    """The last reads of this process, forgotten oldest first. Safe for several threads."""

    def __init__(self) -> None:
        self._reads: OrderedDict[tuple[str, int, int, int], float] = OrderedDict()
        self._lock = threading.Lock()

    def seen(self, reader: str, object_id: int, start: int, length: int) -> bool:
        """Note a read of `length` bytes at `start`, and tell whether it is a repeat."""
        key, now = (reader, object_id, start, length), time.monotonic()
        with self._lock:
            before = self._reads.pop(key, None)
            self._reads[key] = now
            if len(self._reads) > REMEMBERED:
                self._reads.popitem(last=False)
        return before is not None and now - before < WITHIN

    def clear(self) -> None:
        """Forget all reads."""
        with self._lock:
            self._reads.clear()
