"""Encrypts and authenticates data: AES-256-CTR with Poly1305-AES, as restic's format defines.

A sealed text is ``IV (16) ‖ ciphertext ‖ MAC (16)``. The IV is the first counter block (128-bit
big-endian) and, encrypted with AES-128 under `mac_k`, the second half of Poly1305's one-time key,
whose first half is `mac_r`. The MAC covers the ciphertext only.
"""

from typing import TYPE_CHECKING

# The one in Python loads a large library, so it is imported only where it is needed.
if TYPE_CHECKING:
    from nightsafe.crypto.sealer_portable import PortableSealer as Sealer
else:
    try:
        from nightsafe._native import seal as native
    except ImportError:  # not built here
        from nightsafe.crypto.sealer_portable import PortableSealer as Sealer
    else:
        Sealer = native.Sealer

__all__ = ["Sealer"]
