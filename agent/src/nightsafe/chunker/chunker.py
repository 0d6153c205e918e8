"""Content-defined chunking with FastCDC.

The cut points are FastCDC-2020's with a gear table derived from the vault's master key
(`docs/format.md` defines it to the byte). They depend on the content alone, never on how it was
read.
"""

import hashlib
import hmac
from array import array
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from nightsafe.crypto.seal_key import SealKey
from nightsafe.errors import DamagedError
from nightsafe.workers.shared_buffers import SharedBuffers

if TYPE_CHECKING:
    from typing_extensions import Buffer

try:
    from nightsafe._native import fastcdc as native
except ImportError:  # not built here
    native = None  # type: ignore[assignment]

MIN_SIZE = 512 << 10
AVERAGE_SIZE = 1 << 20
MAX_SIZE = 8 << 20
NORMALISATION: Final = 1
WINDOW_SIZE = 2 * MAX_SIZE
"""Bytes of a stream that are held in memory to find its cut points."""
BUFFER_SIZE = 12 << 20
"""The same for a file: enough for two jobs, and at least for the largest chunk."""

_MASKS = (0x0000D91767537000, 0x0000D91707537000)
"""For chunks below and above the average size, as the library chooses for NORMALISATION."""

_INFO = b"nightsafe/chunker/gear/1"
_SEED_SIZE = 8
_SEED_MASK = (1 << 63) - 1
_SHUFFLE_SIZE = 4096


def gear(byte: int) -> int:
    """Return FastCDC's 64-bit gear value of a byte, from the MD5 of 64 such bytes."""
    hashed = hashlib.md5(bytes([byte]) * 64, usedforsecurity=False)
    return int.from_bytes(hashed.digest()[:8], "big")


class GearSecret(NamedTuple):
    """The secret of the gear table: T[b] = GEAR[permutation[b]] XOR seed."""

    permutation: bytes
    seed: int

    def __repr__(self) -> str:
        return "GearSecret()"


def derive_gear(master: SealKey) -> GearSecret:
    """Derive the chunker's secret from the master key (HKDF-SHA256, empty salt)."""
    key = master.encrypt + master.mac_k + master.mac_r
    stream = _hkdf_sha256(key, info=_INFO, length=_SEED_SIZE + _SHUFFLE_SIZE)
    # Bit 63 is cleared: no cut point depends on it, and the library accepts 63 bits.
    seed = int.from_bytes(stream[:_SEED_SIZE], "little") & _SEED_MASK or 1
    return GearSecret(_shuffle(stream[_SEED_SIZE:]), seed)


def _hkdf_sha256(key: bytes, *, info: bytes, length: int) -> bytes:
    secret = hmac.digest(bytes(32), key, hashlib.sha256)
    out, block, counter = bytearray(), b"", 0
    while len(out) < length:
        counter += 1
        block = hmac.digest(secret, block + info + bytes([counter]), hashlib.sha256)
        out += block
    return bytes(out[:length])


def _shuffle(stream: bytes) -> bytes:
    """Shuffle 0..255 (Fisher-Yates) by 16-bit words, rejecting those that would bias it."""
    words = (int.from_bytes(stream[i : i + 2], "little") for i in range(0, len(stream), 2))
    table = bytearray(range(256))
    for last in range(255, 0, -1):
        choices = last + 1
        limit = 65536 - 65536 % choices
        word = next((w for w in words if w < limit), None)
        if word is None:
            raise DamagedError("The chunker's key stream ran out; please report this.")
        other = word % choices
        table[last], table[other] = table[other], table[last]
    return bytes(table)


class Cut(NamedTuple):
    """A chunk of a file: its offset in the file, its place in memory, and its length."""

    offset: int
    place: int
    length: int


class Cutter(Protocol):
    """Finds cut points in a window of a stream."""

    def ends(self, window: "Buffer", at_end: bool, /) -> list[int]:
        """Return the ends of the window's chunks that further bytes cannot move."""


class PortableCutter:
    """Does what the C extension does, with a library that hashes a permuted copy."""

    def __init__(self, secret: GearSecret) -> None:
        from pyfastcdc import FastCDC  # loading it takes as long as cutting 40 MB in C

        self._permutation = secret.permutation
        self._cutter = FastCDC(
            AVERAGE_SIZE,
            min_size=MIN_SIZE,
            max_size=MAX_SIZE,
            normalized_chunking=NORMALISATION,
            seed=secret.seed,
        )

    def ends(self, window: "Buffer", at_end: bool, /) -> list[int]:
        """See `Cutter`."""
        data = bytes(window)
        if at_end and len(data) <= MIN_SIZE:
            return [len(data)] if data else []
        found = []
        for chunk in self._cutter.cut_buf(data.translate(self._permutation)):
            end = chunk.offset + chunk.length
            # A cut before the end was found in the bytes; one at the end may only mean that
            # the window stops there, unless the chunk has its full size already.
            if end == len(data) and not at_end and chunk.length < MAX_SIZE:
                break
            found.append(end)
        return found


def new_cutter(secret: GearSecret) -> Cutter:
    """Return the fastest cutter available; all find the same cut points."""
    if native is None:
        return PortableCutter(secret)
    table = array("Q", (gear(byte) ^ secret.seed for byte in secret.permutation))
    return native.Cutter(table, MIN_SIZE, AVERAGE_SIZE, MAX_SIZE, *_MASKS)


class Chunker:
    """Cuts byte streams with one vault's gear table. Not thread-safe."""

    def __init__(self, cutter: Cutter) -> None:
        self._cutter = cutter

    def chunks(self, read: Callable[[int], bytes]) -> Iterator[bytes]:
        """Yield the chunks of a stream. `read(n)` returns at most n bytes, none at the end."""
        pending, at_end = b"", False
        while not at_end:
            window, at_end = _fill(pending, read)
            start = 0
            for end in self._cutter.ends(window, at_end):
                yield window[start:end]
                start = end
            pending = window[start:]

    def ends(self, data: "Buffer") -> list[int]:
        """Return the ends of the chunks of a whole file in memory."""
        return self._cutter.ends(data, True)

    def scan(
        self, read_into: Callable[[memoryview, int], int], buffers: SharedBuffers
    ) -> Iterator[Cut | None]:
        """Yield a file's chunks, or None while no buffer is free to read more.

        `read_into(view, offset)` fills the view from an offset in the file and returns how many
        bytes it read, fewer only at the end of the file. Once a chunk in another buffer is yielded,
        the earlier buffer is kept only by the caller.
        """
        while (start := buffers.begin()) is None:
            yield None
        size, position, at_end = 0, 0, False
        try:
            while not at_end:
                wanted = min(buffers.end - start - size, MAX_SIZE)
                if not wanted:
                    while (moved_to := buffers.move(start, size)) is None:
                        yield None
                    start = moved_to
                    continue
                end = start + size
                count = read_into(buffers.memory[end : end + wanted], position + size)
                at_end = count < wanted
                size += count
                done = 0
                for cut in self._cutter.ends(buffers.memory[start : start + size], at_end):
                    yield Cut(position + done, start + done, cut - done)
                    done = cut
                start, position, size = start + done, position + done, size - done
        finally:
            buffers.end_file(start)


def _fill(pending: bytes, read: Callable[[int], bytes]) -> tuple[bytes, bool]:
    """Read until the window is full or the stream ends; returns whether it ended as well."""
    parts, filled = [pending], len(pending)
    while filled < WINDOW_SIZE:
        part = read(WINDOW_SIZE - filled)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        filled += len(part)
    return b"".join(parts), False
