"""Seals, names and verifies a repository's objects, whatever they contain."""

import hashlib

import zstandard

from nightsafe.backend.base import Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError
from nightsafe.repofile.config import Config
from nightsafe.repofile.zstd_frames import decompress

_COMPRESSED = b"\x02"
_MAX_TEXT = {ObjectKind.INDEX: 1 << 30, ObjectKind.SNAPSHOT: 256 << 20}


class SealedObjects:
    """The objects in `storage`, sealed with the `master` key."""

    def __init__(self, storage: Backend, master: SealKey, config: Config) -> None:
        self.storage = storage
        self.master = master
        self.config = config
        self.sealer = Sealer(master)

    def new_sealer(self) -> Sealer:
        """Return another sealer with the master key, for another thread."""
        return Sealer(self.master)

    def open_text(self, kind: ObjectKind, name: str, sealed: bytes) -> bytes:
        """Return the JSON text of an object's bytes; DamagedError if they are invalid."""
        if hashlib.sha256(sealed).hexdigest() != name:
            raise DamagedError(f"{kind.value}/{name} has other bytes than its name says.")
        return self._unpack(kind, self.sealer.open(sealed))

    def _unpack(self, kind: ObjectKind, plain: bytes) -> bytes:
        if plain[:1] in (b"{", b"["):
            return plain
        if plain[:1] != _COMPRESSED or not self.config.compresses:
            raise DamagedError(f"An object of {kind.value}/ has an unknown encoding.")
        return decompress(memoryview(plain)[1:], limit=_MAX_TEXT.get(kind, 1 << 20))

    def save_text(self, kind: ObjectKind, text: bytes, *, sealer: Sealer | None = None) -> str:
        """Store a JSON text and return its name."""
        name, sealed = self.seal_text(text, sealer=sealer)
        self.storage.save(kind, name, sealed)
        return name

    def seal_text(self, text: bytes, *, sealer: Sealer | None = None) -> tuple[str, bytes]:
        """Return a JSON text as it is stored: its name and its bytes."""
        if self.config.compresses:
            text = _COMPRESSED + zstandard.ZstdCompressor(level=3).compress(text)
        sealed = (sealer or self.sealer).seal(text)
        return hashlib.sha256(sealed).hexdigest(), sealed
