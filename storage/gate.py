"""How many uploads one web process takes at a time, so that its memory stays flat."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from storage.errors import BusyError

PATIENCE = 10.0  # seconds that an upload waits for its place


class Gate:
    """A number of places, counted."""

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the length of a `with` block. Raises BusyError if none gets free."""
        if not self._places.acquire(timeout=PATIENCE):
            raise BusyError("The service takes no more uploads at this moment; try again shortly.")
        try:
            yield
        finally:
            self._places.release()


uploads = Gate(settings.GATEWAY_UPLOADS)
