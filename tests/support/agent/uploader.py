"""A small writer of blobs, for tests that put into a repository what no backup would."""

import hashlib
from dataclasses import dataclass

from nightsafe.backend.base import ObjectKind
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.packer.index_writer import IndexWriter
from nightsafe.packer.open_packs import OpenPacks
from nightsafe.packer.pack_builder import FinishedPack
from nightsafe.repofile.pack import BlobKind
from nightsafe.repository.repository import Repository


@dataclass
class UploadCount:
    """What a backup added: blobs, their plain bytes, and the bytes stored for them."""

    blobs: int = 0
    plain_bytes: int = 0
    stored_bytes: int = 0


class Uploader:
    """Stores blobs that the repository does not hold yet, one after the other, in this thread."""

    def __init__(self, repository: Repository, *, dry_run: bool = False) -> None:
        self.count = UploadCount()
        self._repository = repository
        self._dry_run = dry_run
        by = BlobSealer(repository.sealer, compresses=repository.config.compresses)
        self._open = {kind: OpenPacks(kind, by) for kind in BlobKind}
        self._waiting: set[tuple[BlobKind, bytes]] = set()
        self._indexer = IndexWriter(repository)

    def add(self, kind: BlobKind, plain: bytes) -> bytes:
        """Store a blob unless it is known, and return its id (SHA-256 of its plain bytes)."""
        blob_id = hashlib.sha256(plain).digest()
        if (kind, blob_id) in self._waiting or self._repository.index.has(kind, blob_id):
            return blob_id
        self._waiting.add((kind, blob_id))
        self.count.blobs += 1
        self.count.plain_bytes += len(plain)
        self._store(self._open[kind].add(blob_id, plain))
        return blob_id

    def flush(self) -> None:
        """Store what is still open, then the index of everything that was stored."""
        for packs in self._open.values():
            self._store(packs.merge())
            self._store(packs.finish())
        self._indexer.flush()

    def _store(self, pack: FinishedPack | None) -> None:
        if pack is None:
            return
        self.count.stored_bytes += len(pack.data)
        if not self._dry_run:
            content = pack.content
            self._repository.storage.save(ObjectKind.DATA, content.id.hex(), pack.data)
            self._repository.index.add(content)
            self._waiting.difference_update((pack.kind, blob.id) for blob in content.blobs)
            self._indexer.add(content.id, pack.header)
        pack.release()
