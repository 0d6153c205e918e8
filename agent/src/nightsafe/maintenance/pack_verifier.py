"""Reads whole packs and verifies every blob. Runs in worker processes."""

import hashlib
import os
from typing import NamedTuple

from nightsafe.backend.base import Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError, NoCopyError, ObjectNotFoundError
from nightsafe.repofile.pack import BlobEntry, PackContent, read_header
from nightsafe.repository.blob_reader import BlobOpener


class PackFinding(NamedTuple):
    """How many bytes were read, and what is wrong with them; empty when nothing is."""

    size: int
    problem: str


class PackReader:
    """Reads packs; what one holds is told by the index."""

    def __init__(self, storage: Backend, master: SealKey) -> None:
        self._storage = storage.fresh()
        self._sealer = Sealer(master)
        self._opener = BlobOpener(self._sealer)

    def orphaned(self) -> None:
        """End at once: there is nobody to tell what was found."""
        os._exit(1)

    def close(self) -> None:
        """Let go of connections."""
        self._storage.close()

    def fetch(self, content: PackContent) -> bytes:
        """The whole pack; empty if it is gone, or if no copy can be read."""
        try:
            return self._storage.load(ObjectKind.DATA, content.id.hex())
        except (NoCopyError, ObjectNotFoundError):
            return b""

    def run(self, content: PackContent, fetched: bytes) -> PackFinding:
        """Verify name, header, and every blob."""
        try:
            self._verify(content, fetched)
        except DamagedError as error:
            return PackFinding(len(fetched), str(error))
        return PackFinding(len(fetched), "")

    def _verify(self, content: PackContent, data: bytes) -> None:
        if not data:
            raise DamagedError("It is gone, or no copy of it can be read now.")
        if hashlib.sha256(data).digest() != content.id:
            raise DamagedError("Its bytes are not those that its name stands for.")
        header = read_header(data, self._sealer)
        if sorted(header, key=_offset) != sorted(content.blobs, key=_offset):
            raise DamagedError("Its header and the index disagree about what it holds.")
        view = memoryview(data)
        for blob in header:
            sealed = view[blob.offset : blob.offset + blob.length]
            self._opener.open(sealed, blob_id=blob.id, plain_length=blob.plain_length)


def _offset(blob: BlobEntry) -> int:
    return blob.offset
