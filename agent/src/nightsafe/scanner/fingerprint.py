"""A folder's fingerprint: a keyed hash of the `stat` data of its entries."""

import hashlib
import hmac
import os
import time
from collections.abc import Sequence

from nightsafe.crypto.seal_key import SealKey
from nightsafe.fs.lstat import record
from nightsafe.fs.status import Seen

SIZE = 16


class Fingerprint:
    """Keyed with the vault's master key, so that a stored one gives no name or size away."""

    def __init__(self, master: SealKey) -> None:
        key = master.encrypt + master.mac_k + master.mac_r
        # Trees hold times in the local zone, so another zone makes other trees.
        zone = repr((os.environ.get("TZ"), time.tzname, time.timezone)).encode()
        self._key = hmac.digest(key, b"nightsafe/statprint/2" + zone, hashlib.sha256)

    def of(self, entries: list[Seen]) -> bytes:
        """The fingerprint of entries, in the order of their names."""
        return self.of_record(record(entries))

    def of_record(self, text: bytes) -> bytes:
        """The fingerprint of entries, by the text that stands for them."""
        return self._hash(text)

    def of_slices(self, fingerprints: Sequence[bytes]) -> bytes:
        """The fingerprint of a folder that was dealt with in slices."""
        return self._hash(b"slices" + b"".join(fingerprints))

    def of_path(self, path: bytes) -> bytes:
        """What stands for a path."""
        return self._hash(b"path" + path)

    def _hash(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=SIZE).digest()
