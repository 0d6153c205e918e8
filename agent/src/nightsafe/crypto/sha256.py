"""SHA-256 of several buffers at once: the names of blobs.

A processor that hashes one text waits for its own results half of the time, so `_sha256` hashes
three side by side, where it could be built and the processor has instructions for it.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

try:
    from nightsafe._native import sha256 as _sha256
except ImportError:  # not built here, or another kind of processor
    _sha256 = None  # type: ignore[assignment]


def portable_digests(texts: "Sequence[Buffer]") -> list[bytes]:
    """What `_sha256.digests` does: the SHA-256 of each text."""
    return [hashlib.sha256(text).digest() for text in texts]


digests: "Callable[[Sequence[Buffer]], list[bytes]]"
digests = portable_digests if TYPE_CHECKING or _sha256 is None else _sha256.digests
