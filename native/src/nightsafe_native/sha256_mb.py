"""SHA-256 of several streams side by side; the same as `hashlib` gives, one after the other."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

try:
    from nightsafe_native import _sha256_mb
except ImportError:  # not built here, or another kind of processor
    _sha256_mb = None  # type: ignore[assignment]

LANES = 3
"""How many streams are worth hashing at once."""


class Running(Protocol):
    """The SHA-256 of what a stream gave so far. Not for use by two threads at once."""

    def hexdigest(self) -> str:
        """The hash, as 64 hexadecimal digits; more may follow."""
        ...


class PortableRunning:
    """What `_sha256_mb.Running` is, by the library."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def hexdigest(self) -> str:
        """See `Running`."""
        return self.hash.hexdigest()


def portable_update_all(
    digests: "Sequence[PortableRunning]", pieces: Sequence[bytes | memoryview]
) -> None:
    """What `_sha256_mb.update_all` does."""
    if len({id(one) for one in digests}) != len(pieces):
        raise ValueError("Each piece belongs to a stream of its own.")
    for one, piece in zip(digests, pieces, strict=True):
        one.hash.update(piece)


def new_digest() -> Running:
    """The hash of a stream that has given nothing yet."""
    return PortableRunning() if _sha256_mb is None else _sha256_mb.Running()


def update_all(digests: Sequence[Running], pieces: Sequence[bytes | memoryview]) -> None:
    """Add to each of several different streams its next piece, which may be empty.

    Other threads run meanwhile. ValueError unless there are as many of one as of the other.
    """
    if _sha256_mb is None:
        portable_update_all(digests, pieces)  # type: ignore[arg-type, unused-ignore]
    else:
        _sha256_mb.update_all(digests, pieces)  # type: ignore[arg-type]
