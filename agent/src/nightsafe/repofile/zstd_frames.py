"""Decompresses zstd frames within bounds.

Writers normally make one frame, but several are accepted, with skippable frames between them and
windows of up to 512 MiB, as in stock restic.
"""

import zstandard

from nightsafe.errors import DamagedError, NightsafeError, ResourceError

MAX_WINDOW = 1 << 29
"""Maximum window size in bytes, as in stock restic. Only the filled part takes memory."""
_FIRST_READ, _MOST_AT_ONCE = 1 << 20, 64 << 20


def decompress(frames: bytes | memoryview, *, limit: int) -> bytes:
    """Decompress zstd frames into at most `limit` bytes, whatever the frames claim.

    DamagedError if they are invalid, ResourceError if memory is short. Truncated frames may return
    less; every caller checks a length or hash, or parses JSON.
    """
    try:
        claimed = zstandard.frame_content_size(frames)  # of the first frame, -1 if unknown
        if claimed > limit:
            raise DamagedError("Compressed bytes unpack to more than they should.")
        plain = _read(frames, limit, expected=claimed)
    except zstandard.ZstdError as error:
        raise _reason(error) from None
    if len(plain) > limit:
        raise DamagedError("Compressed bytes unpack to more than they should.")
    if claimed > len(plain):
        raise DamagedError("Compressed bytes end too early.")
    return plain


def _reason(error: zstandard.ZstdError) -> NightsafeError:
    if "not enough memory" not in str(error):
        return DamagedError("Compressed bytes are damaged.")
    return ResourceError(
        "There is too little memory to unpack what is stored, which may take 512 MiB. Close other "
        "programs, or raise the limit that is set for this one, and run it again."
    )


def _read(frames: bytes | memoryview, limit: int, *, expected: int) -> bytes:
    """Decompress up to one byte more than `limit`."""
    packed = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    reader = packed.stream_reader(frames, read_across_frames=True)
    parts, total = [], 0
    # Allocate as needed: most texts are far smaller than the limit.
    size = max(_FIRST_READ, expected + 1)
    while total <= limit and (part := reader.read(min(size, limit + 1 - total))):
        parts.append(part)
        total += len(part)
        size = min(2 * size, _MOST_AT_ONCE)
    return parts[0] if len(parts) == 1 else b"".join(parts)
