"""Computes a folder's fingerprint: a keyed hash of the `stat` data of its entries."""

import hashlib
import hmac
import os
import time
from collections.abc import Sequence

from nightsafe.crypto.seal_key import SealKey
from nightsafe.fs.lstat import record
from nightsafe.fs.status import StatEntry

SIZE = 16


class Fingerprint:
    """Keyed with the vault's master key, so a stored fingerprint reveals no name or size."""

    def __init__(self, master: SealKey) -> None:
        key = master.encrypt + master.mac_k + master.mac_r
        # Trees contain local times, so another time zone makes other trees.
        zone = repr((os.environ.get("TZ"), time.tzname, time.timezone)).encode()
        self._key = hmac.digest(key, b"nightsafe/statprint/2" + zone, hashlib.sha256)

    def of(self, entries: list[StatEntry]) -> bytes:
        """Return the fingerprint of entries, sorted by name."""
        return self.of_record(record(entries))

    def of_record(self, text: bytes) -> bytes:
        """Return the fingerprint of serialized entries."""
        return self._hash(text)

    def of_slices(self, fingerprints: Sequence[bytes]) -> bytes:
        """Return the fingerprint of a folder that was processed in slices."""
        return self._hash(b"slices" + b"".join(fingerprints))

    def of_path(self, path: bytes) -> bytes:
        """Return the hash that represents a path."""
        return self._hash(b"path" + path)

    def _hash(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=SIZE).digest()
