"""Sealing: AES-256 in counter mode with Poly1305-AES, as restic's format defines it.

A sealed text is ``IV (16) ‖ ciphertext ‖ MAC (16)``. The IV is the first counter block
(128-bit big-endian) and, encrypted with AES-128 under `mac_k`, the second half of
Poly1305's one-time key, whose first half is `mac_r`. The MAC covers the ciphertext only.
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nightsafe.errors import DamagedError

IV_SIZE = 16
MAC_SIZE = 16
OVERHEAD = IV_SIZE + MAC_SIZE
"""Bytes that sealing adds to a plaintext."""

_R_MASK = bytes.fromhex("ffffff0ffcffff0ffcffff0ffcffff0f")


def mask_r(r: bytes) -> bytes:
    """Clear the 22 bits of the 16-byte `r` that Poly1305 does not use."""
    return bytes(a & b for a, b in zip(r, _R_MASK, strict=True))


@dataclass(frozen=True)
class SealKey:
    """What seals and opens: AES-256 key (32 bytes), MAC keys k and r (16 bytes each)."""

    encrypt: bytes = field(repr=False)
    mac_k: bytes = field(repr=False)
    mac_r: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if (len(self.encrypt), len(self.mac_k), len(self.mac_r)) != (32, 16, 16):
            raise DamagedError("A key has the wrong length; the key object is damaged.")
        object.__setattr__(self, "mac_r", mask_r(self.mac_r))

    @classmethod
    def random(cls) -> "SealKey":
        """A new master key from the system's random source."""
        return cls(os.urandom(32), os.urandom(16), os.urandom(16))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "SealKey":
        """Split 64 bytes: encryption 32, k 16, r 16."""
        return cls(raw[:32], raw[32:48], raw[48:])


# Last, since the one in Python needs what is above; it also loads a large library.
if TYPE_CHECKING:
    from nightsafe.sealing import PortableSealer as Sealer
else:
    try:
        from nightsafe._seal import Sealer
    except ImportError:  # not built here
        from nightsafe.sealing import PortableSealer as Sealer

__all__ = ["IV_SIZE", "MAC_SIZE", "OVERHEAD", "SealKey", "Sealer", "mask_r"]
