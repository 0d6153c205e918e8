"""The key that seals data, and the sizes that sealing adds.

A sealed text is ``IV (16) ‖ ciphertext ‖ MAC (16)``; `sealer` specifies how it is computed.
"""

import os
from typing import NamedTuple

from nightsafe.errors import DamagedError

IV_SIZE = 16
MAC_SIZE = 16
OVERHEAD = IV_SIZE + MAC_SIZE
"""Bytes that sealing adds to a plaintext."""

_R_MASK = bytes.fromhex("ffffff0ffcffff0ffcffff0ffcffff0f")


def mask_r(r: bytes) -> bytes:
    """Clear the 22 bits of the 16-byte `r` that Poly1305 does not use."""
    return bytes(a & b for a, b in zip(r, _R_MASK, strict=True))


class _Parts(NamedTuple):
    encrypt: bytes
    mac_k: bytes
    mac_r: bytes


class SealKey(_Parts):
    """An encryption key (AES-256, 32 bytes) with its MAC keys k and r (16 bytes each)."""

    __slots__ = ()

    def __new__(cls, encrypt: bytes, mac_k: bytes, mac_r: bytes) -> "SealKey":
        """Check the lengths; DamagedError if one is wrong."""
        if (len(encrypt), len(mac_k), len(mac_r)) != (32, 16, 16):
            raise DamagedError("A key has the wrong length; the key object is damaged.")
        return super().__new__(cls, encrypt, mac_k, mask_r(mac_r))

    def __repr__(self) -> str:
        return "SealKey()"  # keeps the key out of logs

    @classmethod
    def random(cls) -> "SealKey":
        """Draw a new master key from the system's random source."""
        return cls(os.urandom(32), os.urandom(16), os.urandom(16))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "SealKey":
        """Split 64 bytes: encryption 32, k 16, r 16."""
        return cls(raw[:32], raw[32:48], raw[48:])
