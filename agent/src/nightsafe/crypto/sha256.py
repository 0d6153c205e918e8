"""Hashes several buffers at once with SHA-256, which names blobs.

A processor that hashes one buffer waits for its own results half of the time, so the C extension
hashes three side by side, where it is built and the processor has the instructions.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

try:
    from nightsafe._native import sha256 as native
except ImportError:  # not built here, or another kind of processor
    native = None  # type: ignore[assignment]


def portable_digests(texts: "Sequence[Buffer]") -> list[bytes]:
    """Return the SHA-256 of each text, as the C extension does."""
    return [hashlib.sha256(text).digest() for text in texts]


digests: "Callable[[Sequence[Buffer]], list[bytes]]"
digests = portable_digests if TYPE_CHECKING or native is None else native.digests
