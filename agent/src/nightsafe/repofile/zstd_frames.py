"""Decompresses zstd frames within bounds.

A text is one frame as every writer makes it, but it may be several, with skippable ones anywhere
between them, and of windows up to 512 MiB: what stock restic reads is read here.
"""

import zstandard

from nightsafe.errors import DamagedError, NightsafeError, ResourceError

MAX_WINDOW = 1 << 29
"""Bytes; stock restic goes as far. Of a frame's window only what is filled takes memory."""
_FIRST_READ, _MOST_AT_ONCE = 1 << 20, 64 << 20


def decompress(frames: bytes | memoryview, *, limit: int) -> bytes:
    """Undo zstd, but never into more than `limit` bytes, whatever the frames claim.

    DamagedError if they are unsound, ResourceError without memory. Frames that end too early may
    give less: what is to be had has a length or hash to be held to, or is no JSON.
    """
    try:
        claimed = zstandard.frame_content_size(frames)  # the first frame's, -1 if it does not say
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
    """What the frames hold, but no more than one byte over `limit`."""
    packed = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    reader = packed.stream_reader(frames, read_across_frames=True)
    parts, held = [], 0
    # Memory is asked for as it is needed: most texts are far smaller than they may be.
    size = max(_FIRST_READ, expected + 1)
    while held <= limit and (part := reader.read(min(size, limit + 1 - held))):
        parts.append(part)
        held += len(part)
        size = min(2 * size, _MOST_AT_ONCE)
    return parts[0] if len(parts) == 1 else b"".join(parts)
