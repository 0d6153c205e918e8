"""Packs: many sealed blobs in one object, with a sealed header at the end.

``blob ‖ … ‖ blob ‖ sealed header ‖ length of the sealed header (4 bytes, little-endian)``. Tree and
data blobs never share a pack.
"""

import enum
import struct
from collections.abc import Iterable
from typing import NamedTuple

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError

PACK_SIZE = 15 << 20
"""A pack is closed once its blobs reach this many bytes; with the last one, about 16 MiB."""
TREE_PACK_SIZE = 8 << 20
"""The same for trees, which are all packed by one process."""
MAX_BLOBS = 100_000
"""A pack is closed at this many blobs, which keeps its header far under restic's 16 MiB."""
MAX_HEADER = 16 << 20

_PLAIN = struct.Struct("<BI32s")
_COMPRESSED = struct.Struct("<BII32s")
LENGTH = struct.Struct("<I")
"""The format of the sealed header's length at the end of a pack."""


class BlobKind(enum.Enum):
    """The two kinds of blob; the value is the entry type in a pack's header."""

    DATA = 0
    TREE = 1

    @property
    def word(self) -> str:
        """The kind's name in index files."""
        return self.name.lower()


class BlobEntry(NamedTuple):
    """The place of a blob in its pack: `length` is sealed; `plain_length` 0 if uncompressed."""

    kind: BlobKind
    id: bytes
    offset: int
    length: int
    plain_length: int = 0


class PackContent(NamedTuple):
    """The content of a pack, as index files list it."""

    id: bytes
    blobs: tuple[BlobEntry, ...]

    @property
    def end(self) -> int:
        """The offset at which the last blob ends and the header begins."""
        return max((blob.offset + blob.length for blob in self.blobs), default=0)

    @property
    def size(self) -> int:
        """The size in bytes of the whole pack."""
        return self.end + header_size(self.blobs)

    def merged(self, other: "PackContent") -> "PackContent":
        """Merge with another index file's list of the same pack, each entry once.

        DamagedError if two blobs overlap.
        """
        blobs = sorted(dict.fromkeys((*self.blobs, *other.blobs)), key=_offset)
        end = 0
        for blob in blobs:
            if blob.offset < end:
                raise DamagedError(f"Index files disagree about pack {self.id.hex()[:8]}.")
            end = blob.offset + blob.length
        return PackContent(self.id, tuple(blobs))


def _offset(blob: BlobEntry) -> int:
    return blob.offset


def header_size(blobs: Iterable[BlobEntry]) -> int:
    """Return the size in bytes of a pack's sealed header with its length field."""
    entries = sum(_COMPRESSED.size if blob.plain_length else _PLAIN.size for blob in blobs)
    return entries + OVERHEAD + LENGTH.size


def encode_entries(blobs: Iterable[BlobEntry]) -> bytes:
    """Encode a pack's header, to be sealed."""
    return b"".join(
        encode_entry(blob.kind.value, blob.id, blob.length, blob.plain_length) for blob in blobs
    )


def encode_entry(number: int, blob_id: bytes, length: int, plain_length: int) -> bytes:
    """Encode the header entry of one blob; `number` is that of its kind."""
    if plain_length:
        return _COMPRESSED.pack(number | 2, length, plain_length, blob_id)
    return _PLAIN.pack(number, length, blob_id)


def read_header(pack: bytes, sealer: Sealer) -> tuple[BlobEntry, ...]:
    """Return the entries in a whole pack's header; DamagedError if it is invalid."""
    if len(pack) < LENGTH.size + OVERHEAD:
        raise DamagedError("A pack is too short to be one; it is damaged.")
    (length,) = LENGTH.unpack_from(pack, len(pack) - LENGTH.size)
    start = len(pack) - LENGTH.size - length
    if not OVERHEAD < length <= MAX_HEADER or start < 0:
        raise DamagedError("A pack's header has an impossible length; the pack is damaged.")
    blobs = tuple(decode_entries(sealer.open(pack[start : -LENGTH.size])))
    if sum(blob.length for blob in blobs) != start:
        raise DamagedError("A pack's header does not describe its bytes; the pack is damaged.")
    return blobs


def decode_entries(header: bytes) -> Iterable[BlobEntry]:
    """Decode the entries of an unsealed pack header; DamagedError if it is invalid."""
    position = offset = 0
    while position < len(header):
        layout = _COMPRESSED if header[position] & 2 else _PLAIN
        if header[position] > 3 or position + layout.size > len(header):
            raise DamagedError("A pack's header has an entry of unknown type.")
        entry_type, length, *plain_length, blob_id = layout.unpack_from(header, position)
        if length < OVERHEAD:
            raise DamagedError("A pack's header has an entry of impossible length.")
        kind = BlobKind(entry_type & 1)
        yield BlobEntry(kind, blob_id, offset, length, plain_length[0] if plain_length else 0)
        offset += length
        position += layout.size
