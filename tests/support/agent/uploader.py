"""A small writer of blobs, for tests that put into a repository what no backup would."""

import hashlib
import secrets
from dataclasses import dataclass

import zstandard
from nightsafe.backend.base import ObjectKind
from nightsafe.packer.index_writer import IndexWriter
from nightsafe.repofile.pack import BlobKind, PackBuilder, encode_entries
from nightsafe.repository.repository import Repository

_OPEN_DATA_PACKS = 2
_LEVEL = 3


@dataclass
class UploadCount:
    """What a backup added: blobs, their plain bytes, and the bytes stored for them."""

    blobs: int = 0
    plain_bytes: int = 0
    stored_bytes: int = 0


class Uploader:
    """Stores blobs that the repository does not hold yet.

    Data blobs go at random into one of two open packs, so that the order and lengths of
    what the storage sees do not give a known file away. An index file is written every few
    packs, so that an interrupted backup need not be repeated.
    """

    def __init__(self, repository: Repository, *, dry_run: bool = False) -> None:
        self.count = UploadCount()
        self._repository = repository
        self._dry_run = dry_run
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._open = {
            BlobKind.DATA: [PackBuilder(BlobKind.DATA) for _ in range(_OPEN_DATA_PACKS)],
            BlobKind.TREE: [PackBuilder(BlobKind.TREE)],
        }
        self._waiting: set[tuple[BlobKind, bytes]] = set()
        self._indexer = IndexWriter(repository)

    def add(self, kind: BlobKind, plain: bytes) -> bytes:
        """Store a blob unless it is known, and return its id (SHA-256 of its plain bytes)."""
        blob_id = hashlib.sha256(plain).digest()
        if (kind, blob_id) in self._waiting or self._repository.index.has(kind, blob_id):
            return blob_id
        self._waiting.add((kind, blob_id))
        packed, plain_length = self._compress(plain)
        builders = self._open[kind]
        builder = secrets.choice(builders)
        builder.add(blob_id, self._repository.sealer.seal(packed), plain_length=plain_length)
        self.count.blobs += 1
        self.count.plain_bytes += len(plain)
        if builder.is_full:
            builders[builders.index(builder)] = PackBuilder(kind)
            self._store(builder)
        return blob_id

    def flush(self) -> None:
        """Store what is still open, then the index of everything that was stored."""
        for kind, builders in self._open.items():
            last = PackBuilder(kind)
            for builder in builders:
                last.absorb(builder)
            self._open[kind] = [PackBuilder(kind) for _ in builders]
            if not last.is_empty:
                self._store(last)
        self._indexer.flush()

    def _compress(self, plain: bytes) -> tuple[bytes, int]:
        """The bytes to seal, and the plain length if they are compressed, else 0."""
        if self._repository.config.compresses:
            packed = self._compressor.compress(plain)
            if len(packed) < len(plain):
                return packed, len(plain)
        return plain, 0

    def _store(self, builder: PackBuilder) -> None:
        content, data = builder.finish(self._repository.sealer)
        if self._dry_run:
            self.count.stored_bytes += len(data)
            return
        self._repository.storage.save(ObjectKind.DATA, content.id.hex(), data)
        self._repository.index.add(content)
        self._waiting.difference_update((builder.kind, blob.id) for blob in content.blobs)
        self.count.stored_bytes += len(data)
        self._indexer.add(content.id, encode_entries(content.blobs))
