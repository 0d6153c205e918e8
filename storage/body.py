"""An upload's body: counted, hashed and rate-checked while it streams, never held in memory."""

import hashlib
import time
from typing import Protocol

from django.conf import settings
from django.http import HttpRequest

from storage.database.connections import lend_connection
from storage.errors import BadRequestError, TooSlowError
from storage.stores.base import CHUNK


class Stream(Protocol):
    """What a web server hands over."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


def stream_of(request: HttpRequest) -> Stream:
    """Return a request's body as it comes: each piece as soon as it is there."""
    make = request.META.get("nightsafe.body")  # of the gateway's process
    return make() if make is not None else request


class HashMismatchError(BadRequestError):
    """The bytes do not have the hash that their name says."""

    can_mend = True  # if something on the way changed them


class IncompleteBodyError(BadRequestError):
    """The connection ended before the announced length."""

    can_mend = True


class HashedBody:
    """`size` bytes from `stream`, which must have the hash `sha256` (None: any).

    The last piece is handed on only when the hash is right, so whoever stores the pieces can
    never finish with wrong bytes. `min_rate` is in bytes a second, averaged; 0 is patient.
    """

    def __init__(self, stream: Stream, *, size: int, sha256: str | None, min_rate: int = 0) -> None:
        self.size = size
        self.taken = 0
        self._stream = stream
        self._expected = sha256
        self._min_rate = min_rate
        self._hash = hashlib.sha256()
        self._begun = time.monotonic()

    @property
    def digest(self) -> str:
        """The hash of what was read so far, as 64 hex digits."""
        return self._hash.hexdigest()

    @property
    def is_untouched(self) -> bool:
        """Whether it can still be sent somewhere else."""
        return self.taken == 0

    @property
    def is_whole(self) -> bool:
        """Whether the last piece was handed on, so that somebody may have stored all of it."""
        return self.taken == self.size and self._expected in (None, self.digest)

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises IncompleteBodyError, TooSlowError, or HashMismatchError in place of the last piece.
        """
        piece = self._take(min(size, self.size - self.taken))
        self._hash.update(piece)
        if self.taken == self.size:
            self._judge()
        return piece

    def read_to_end(self) -> None:
        """Read and hash what is left. Raises as `read`."""
        while self.taken < self.size:
            self.read(CHUNK)
        self._judge()

    def discard(self) -> bool:
        """Read on without looking, up to a bound; return whether the end was reached."""
        budget = settings.REFUSED_READ
        try:
            while self.taken < self.size and budget > 0:
                budget -= len(self._take(min(CHUNK, self.size - self.taken)))
        except (BadRequestError, TooSlowError):
            return False
        return self.taken == self.size

    def _take(self, size: int) -> bytes:
        if size == 0:
            return b""
        lend_connection()
        try:
            piece = self._stream.read(size)
        except TimeoutError as error:
            raise TooSlowError("The upload stalled; send it again.") from error
        except OSError as error:
            if isinstance(error.__cause__ or error.__context__, TimeoutError):
                raise TooSlowError("The upload stalled; send it again.") from error
            raise self._short() from error
        if not piece:
            raise self._short()
        self.taken += len(piece)
        self._watch_rate()
        return piece

    def _judge(self) -> None:
        if self._expected is not None and self.digest != self._expected:
            raise HashMismatchError(
                "The bytes do not have the hash that their name says; nothing was stored. "
                "Something on the way changed them: send them again."
            )

    def _short(self) -> IncompleteBodyError:
        return IncompleteBodyError(
            f"The upload ended after {self.taken} of {self.size} bytes; nothing was stored."
        )

    def _watch_rate(self) -> None:
        seconds = time.monotonic() - self._begun
        if seconds > settings.GATEWAY_PATIENCE and self.taken < seconds * self._min_rate:
            raise TooSlowError("The upload is too slow to keep a place for it; send it again.")
