"""Compresses and seals blobs straight into open packs.

What was just sealed is opened again and compared before it is trusted, so that a fault of
this computer's memory is found now and not at the restore.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple

import zstandard

from nightsafe.chunker.chunker import MIN_SIZE
from nightsafe.crypto.sealer import OVERHEAD, Sealer
from nightsafe.errors import DamagedError
from nightsafe.fs.lstat import Seen
from nightsafe.repofile import pack
from nightsafe.repofile.pack import BlobKind
from nightsafe.workers.buffers import new_memory

LEVEL = 2
SMALL_BLOBS = zstandard.ZstdCompressionParameters(
    window_log=20,
    chain_log=13,
    hash_log=15,
    search_log=1,
    min_match=5,
    strategy=zstandard.STRATEGY_DFAST,
)
"""For blobs no larger than the least chunk: between levels 2 and 3, as fast as the one, nearly as
small as the other (`docs/performance.md`)."""
OPEN_DATA_PACKS = 2
_DRAWS = 1024
_LARGE_BLOB, _COMPARED_AT_ONCE = 4 << 20, 256 << 10
"""Larger blobs are compressed and compared in parts: few are, and the memory would stay."""
Gather = Callable[..., tuple[int, bytes, int, int]]
"""What `_gather.Gatherer.gather` is."""
_SAMPLES, _SAMPLE = 3, 16 << 10
_SPARE = 12 << 20
_ROOM = pack.PACK_SIZE + _SPARE


class FinishedPack(NamedTuple):
    """A whole pack; its id is the SHA-256 of `data`, `header` what its header says, opened."""

    kind: BlobKind
    data: memoryview
    header: bytes
    memory: "PackMemory"

    def release(self) -> None:
        """Say that `data` is not needed any more: its memory is used again."""
        self.memory.give_back(self.data)


class Tail(NamedTuple):
    """So many sealed blobs, too few for a pack of their own, and what a header says of them."""

    data: bytes
    header: bytes
    blobs: int


class BlobSealer:
    """Compresses, seals and proves blobs. One for each thread."""

    def __init__(self, sealer: Sealer, *, compresses: bool) -> None:
        self.sealer = sealer
        self.compresses = compresses
        self.compress_small = zstandard.ZstdCompressor(compression_params=SMALL_BLOBS).compress
        self.decompress = zstandard.ZstdDecompressor().decompress
        self._was_dense = False
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)

    def pack(self, plain: bytes | memoryview) -> tuple[bytes | memoryview, int]:
        """The bytes to seal, and the plain length if they are compressed, else 0."""
        if self.compresses and not (self._was_dense and self._looks_dense(plain)):
            packed = self._compress(plain)
            self._was_dense = len(packed) >= len(plain)
            if not self._was_dense:
                return packed, len(plain)
        return plain, 0

    def _looks_dense(self, plain: bytes | memoryview) -> bool:
        """Whether a large blob need not be tried, as samples do not shrink, either. Asked only
        after one that did not: pictures, films and archives come by the gigabyte."""
        size = len(plain)
        if size < _SAMPLES * _SAMPLE * 8:
            return False
        starts = range(0, size - _SAMPLE + 1, (size - _SAMPLE) // (_SAMPLES - 1))
        samples = (plain[start : start + _SAMPLE] for start in starts)
        return all(len(self.compress_small(sample)) >= _SAMPLE for sample in samples)

    def _compress(self, plain: bytes | memoryview) -> bytes:
        if len(plain) <= MIN_SIZE:
            return self.compress_small(plain)
        if len(plain) <= _LARGE_BLOB:
            return self._compressor.compress(plain)
        stream = self._compressor.compressobj(size=len(plain))
        return b"".join((stream.compress(plain), stream.flush()))

    def put(
        self, target: memoryview, start: int, packed: bytes | memoryview, plain: bytes | memoryview
    ) -> int:
        """Seal into `target` from `start` on; returns where it ends.

        DamagedError unless it opens again to `plain`.
        """
        if packed is not plain and len(plain) > _LARGE_BLOB:
            return self._put_large(target, start, packed, plain)
        decompress = None if packed is plain else self.decompress
        try:
            end = self.sealer.put(target, start, packed, plain, decompress)
        except zstandard.ZstdError:
            end = None
        if end is None:
            raise DamagedError(UNPROVEN)
        return end

    def _put_large(
        self, target: memoryview, start: int, packed: bytes | memoryview, plain: bytes | memoryview
    ) -> int:
        """As `put`, without another copy of the blob, which would be kept for long."""
        end, compared = self.sealer.seal_into(target, start, packed), 0
        try:
            opened = self.sealer.peek(target[start:end])
            reader = zstandard.ZstdDecompressor().stream_reader(opened)
            while part := reader.read(_COMPARED_AT_ONCE):
                if part != bytes(plain[compared : compared + len(part)]):
                    break
                compared += len(part)
        except (DamagedError, zstandard.ZstdError):
            compared = -1
        if compared != len(plain):
            raise DamagedError(UNPROVEN)
        return end


UNPROVEN = (
    "What was just encrypted did not open again to the same bytes, so nothing of it was "
    "stored. This computer's memory or processor may be faulty; test it before you go on."
)


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


class OpenPack:
    """One pack in the making; its memory is touched only as far as it is filled.

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


def draws(count: int) -> Iterator[int]:
    """Random numbers below `count`, which divides 256, without end.

    Many are asked of the system at once: one question costs more than all else about a choice.
    """
    while True:
        yield from [byte % count for byte in secrets.token_bytes(_DRAWS)]


class OpenPacks:
    """The packs of one kind that one worker fills.

    Data blobs go at random into one of two, so that the order and lengths of what the
    storage sees do not give a known file away.
    """

    def __init__(self, kind: BlobKind, by: BlobSealer) -> None:
        count = OPEN_DATA_PACKS if kind is BlobKind.DATA else 1
        memory = PackMemory()
        self._by = by
        self._kind = kind
        self._packs = [OpenPack(kind, by.sealer, memory) for _ in range(count)]
        self._draws = draws(count)

    def add(self, blob_id: bytes, plain: bytes | memoryview) -> FinishedPack | None:
        """Store a blob; returns a pack that is full by this."""
        chosen = self._packs[next(self._draws)]
        chosen.add(blob_id, plain, self._by)
        return chosen.finish() if chosen.is_full else None

    def gather(
        self, gather: Gather, seen: list[Seen], start: int, done: list[tuple[bytes, str, int]]
    ) -> tuple[tuple[int, bytes, int, int], FinishedPack | None]:
        """Have small files stored; returns what `gather` does and a pack that is full by this."""
        for open_pack in self._packs:
            open_pack.prepare()
        gathered = gather(seen, start, self._packs, size_of(self._kind), pack.MAX_BLOBS, done)
        full = next((one for one in self._packs if one.is_full), None)
        return gathered, full.finish() if full else None

    def absorb(self, tail: Tail) -> FinishedPack | None:
        """Take over another worker's tail; returns a pack that is full by this."""
        chosen = min(self._packs, key=lambda pack: pack.size)
        chosen.absorb(tail)
        return chosen.finish() if chosen.is_full else None

    def merge(self) -> FinishedPack | None:
        """Bring all that is open together; returns what is too much for one pack."""
        first, *others = self._packs
        for other in others:
            if not other.count:
                continue
            if first.size + other.size > size_of(first.kind):
                small, large = sorted((first, other), key=lambda p: p.size)
                self._packs = [small, large]
                return large.finish()
            first.absorb(other.take())
        return first.finish() if first.is_full else None

    def take(self) -> Tail:
        """What is left after `merge`."""
        return self._packs[0].take()

    def finish(self) -> FinishedPack | None:
        """What is left after `merge`, as a pack of its own; None if there is nothing."""
        return self._packs[0].finish() if self._packs[0].count else None


def blob_id_of(plain: bytes | memoryview) -> bytes:
    """The id of a blob."""
    return hashlib.sha256(plain).digest()
