"""Packs of blobs that are sealed already, for tests that store what no backup would."""

from collections.abc import Iterable

from nightsafe.backend.base import ObjectKind
from nightsafe.crypto.sealer import Sealer
from nightsafe.packer.pack_builder import PackBuilder, PackMemory
from nightsafe.repofile.pack import BlobKind, PackContent
from nightsafe.repository.repository import Repository

Blob = tuple[bytes, bytes, int]
"""An id, the sealed bytes, and the plain length, or 0 if they are not compressed."""


def build_pack(kind: BlobKind, blobs: Iterable[Blob], sealer: Sealer) -> tuple[PackContent, bytes]:
    """What a pack of these blobs holds, and its bytes."""
    builder = PackBuilder(kind, sealer, PackMemory())
    for blob_id, sealed, plain_length in blobs:
        builder.append(blob_id, sealed, plain_length=plain_length)
    finished = builder.finish()
    return finished.content, bytes(finished.data)


def store_pack(repository: Repository, kind: BlobKind, *blobs: Blob) -> PackContent:
    """Store a pack of these blobs; the caller lists it in an index."""
    content, data = build_pack(kind, blobs, repository.sealer)
    repository.storage.save(ObjectKind.DATA, content.id.hex(), data)
    return content
