"""Remembers which regions just failed, so that this process leaves them alone for a while."""

import threading
import time


class Cooldowns:
    """Regions, by alias, and until when each is left alone. Safe for several threads."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def start(self, alias: str, seconds: float) -> None:
        """Leave a region alone for so long, from now on."""
        with self._lock:
            self._until[alias] = time.monotonic() + seconds

    def __contains__(self, alias: str) -> bool:
        """Return whether a region is to be left alone now."""
        return self._until.get(alias, 0.0) > time.monotonic()

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._until.clear()
