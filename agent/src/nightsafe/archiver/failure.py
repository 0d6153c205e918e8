"""Tells the service that a backup did not come to its end, so that its owner sees it there.

Only a word is told, never a message: that may name a file. What the service refused it knows, and
one that cannot be reached is told nothing.
"""

import contextlib
import threading

from nightsafe.backend.base import Backend
from nightsafe.errors import (
    AccessRefusedError,
    DamagedError,
    LockedError,
    LockLostError,
    NoCopyError,
    QuotaError,
    StaleIndexError,
    TooLargeError,
    UnreachableError,
)

PATIENCE = 10.0
"""Seconds that the end of a command waits for it, unless it is interrupted once more."""
_KNOWN_OR_DEAF = (
    AccessRefusedError,
    QuotaError,
    StaleIndexError,
    TooLargeError,
    UnreachableError,
)


def word_for(error: BaseException) -> str:
    """Return the control API's word for an error; empty if the service is told nothing."""
    if isinstance(error, _KNOWN_OR_DEAF):
        return ""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, DamagedError | NoCopyError):
        return "damaged"
    return "locked" if isinstance(error, LockedError | LockLostError) else "local"


def report_failure(storage: Backend, error: BaseException) -> None:
    """Report a failed backup, if the storage takes reports; never fails and hardly waits."""
    word = word_for(error)
    if not word:
        return

    def tell() -> None:
        with contextlib.suppress(Exception):
            storage.fresh().report_failure(word)

    telling = threading.Thread(target=tell, name="report", daemon=True)
    telling.start()
    telling.join(PATIENCE)
