"""Compresses, seals and proves blobs.

What was just sealed is opened again and compared before it is trusted, so that a fault of
this computer's memory is found now and not at the restore.
"""

import zstandard

from nightsafe.chunker.chunker import MIN_SIZE
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError

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
_LARGE_BLOB, _COMPARED_AT_ONCE = 4 << 20, 256 << 10
"""Larger blobs are compressed and compared in parts: few are, and the memory would stay."""
_SAMPLES, _SAMPLE = 3, 16 << 10


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
            packed = self.compress(plain)
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

    def compress(self, plain: bytes | memoryview) -> bytes:
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
