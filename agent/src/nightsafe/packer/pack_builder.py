"""Fills a pack with sealed blobs, in memory, and closes it with its header."""

import hashlib
from typing import NamedTuple

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.crypto.sealer import Sealer
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.repofile import pack
from nightsafe.repofile.pack import BlobKind, PackContent, decode_entries
from nightsafe.workers.buffers import new_memory

_SPARE = 12 << 20
_ROOM = pack.PACK_SIZE + _SPARE


class FinishedPack(NamedTuple):
    """A whole pack; its id is the SHA-256 of `data`, `header` what its header says, opened."""

    kind: BlobKind
    data: memoryview
    header: bytes
    memory: "PackMemory"

    @property
    def content(self) -> PackContent:
        """What the pack holds, for an index file."""
        pack_id = hashlib.sha256(self.data).digest()
        return PackContent(pack_id, tuple(decode_entries(self.header)))

    def release(self) -> None:
        """Say that `data` is not needed any more: its memory is used again."""
        self.memory.give_back(self.data)


class Tail(NamedTuple):
    """So many sealed blobs, too few for a pack of their own, and what a header says of them."""

    data: bytes | memoryview
    header: bytes
    blobs: int


class PackMemory:
    """Room for packs, used again when they have been sent. Threads may share it."""

    def __init__(self) -> None:
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        """Room for one pack and a blob too many."""
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(new_memory(_ROOM))

    def give_back(self, part: memoryview) -> None:
        """Take back what `part` is a part of, unless it was made for something larger."""
        whole = memoryview(part.obj)
        if len(whole) == _ROOM:
            self._free.append(whole)


class PackBuilder:
    """A pack in the making; its memory is touched only as far as it is filled.

    Of its blobs no more is kept than their header, since a pack may have many thousands.
    """

    def __init__(self, kind: BlobKind, sealer: Sealer, memory: PackMemory) -> None:
        self.kind = kind
        self.size = self.count = 0
        self._number = kind.value
        self.header = bytearray()
        self._sealer = sealer
        self._memory = memory
        self.view = memoryview(b"")

    @property
    def is_full(self) -> bool:
        """Whether the pack should be finished now."""
        return self.size >= size_of(self.kind) or self.count >= pack.MAX_BLOBS

    def prepare(self) -> None:
        """See to it that there is memory, where others fill in blobs by themselves."""
        if not self.view:
            self.view = self._memory.take()

    def add(self, blob_id: bytes, plain: bytes | memoryview, by: BlobSealer) -> None:
        """Compress, seal and prove one blob."""
        packed, plain_length = by.pack(plain)
        start, needed = self.size, self.size + len(packed) + OVERHEAD
        if needed > len(self.view):
            self._make_room(needed)
        end = by.put(self.view, start, packed, plain)
        self.header += pack.encode_entry(self._number, blob_id, end - start, plain_length)
        self.size = end
        self.count += 1

    def append(self, blob_id: bytes, sealed: bytes | memoryview, *, plain_length: int) -> None:
        """Add a blob that is sealed already; `plain_length` is 0 when it is not compressed."""
        header = pack.encode_entry(self._number, blob_id, len(sealed), plain_length)
        self.absorb(Tail(sealed, header, 1))

    def absorb(self, tail: Tail) -> None:
        """Take over blobs that were sealed elsewhere."""
        end = self.size + len(tail.data)
        if end > len(self.view):
            self._make_room(end)
        self.view[self.size : end] = tail.data
        self.header += tail.header
        self.size = end
        self.count += tail.blobs

    def take(self) -> Tail:
        """What is in the pack, which is empty afterwards."""
        tail = Tail(bytes(self.view[: self.size]), bytes(self.header), self.count)
        self._empty()
        return tail

    def finish(self) -> FinishedPack:
        """The whole pack with its header; this one is empty afterwards and can be used again."""
        header = bytes(self.header)
        end = self.size + len(header) + OVERHEAD + pack.LENGTH.size
        if end > len(self.view):
            self._make_room(end)
        end = self._sealer.seal_into(self.view, self.size, header)
        self.view[end : end + pack.LENGTH.size] = pack.LENGTH.pack(end - self.size)
        data, self.view = self.view[: end + pack.LENGTH.size], memoryview(b"")
        self._empty()
        return FinishedPack(self.kind, data, header, self._memory)

    def _empty(self) -> None:
        self.size, self.count, self.header = 0, 0, bytearray()

    def _make_room(self, size: int) -> None:
        fresh = self._memory.take() if size <= _ROOM else memoryview(new_memory(size + _SPARE))
        if self.size:
            fresh[: self.size] = self.view[: self.size]
        self.view = fresh


def size_of(kind: BlobKind) -> int:
    """At how many bytes of blobs a pack of this kind is closed."""
    if kind is BlobKind.DATA:
        return pack.PACK_SIZE
    return min(pack.TREE_PACK_SIZE, pack.PACK_SIZE)
