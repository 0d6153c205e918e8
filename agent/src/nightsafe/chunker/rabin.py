"""Content-defined chunking identical to stock restic's.

A chunk ends after a byte if the Rabin fingerprint of the last 64 bytes, modulo the vault's own
polynomial, ends in 20 zero bits; at the earliest after 512 KiB and at the latest after 8 MiB. The
fingerprint is the remainder of the polynomial over GF(2) whose coefficients are the bits of those
64 bytes, the first byte's the highest, so it depends on them alone.
"""

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from nightsafe.chunker.chunker import MAX_SIZE, MIN_SIZE, Cutter
from nightsafe.chunker.polynomial import DEGREE, remainder

if TYPE_CHECKING:
    from typing_extensions import Buffer

try:
    from nightsafe._native import rabin as native
except ImportError:  # not built here
    native = None  # type: ignore[assignment]

SPAN: Final = 64
"""Length in bytes of the sliding window."""
SPLIT_MASK: Final = (1 << 20) - 1
_TOP = DEGREE - 8
_LOW_MASK = (1 << _TOP) - 1


def mod_table(polynomial: int) -> "array[int]":
    """Precompute the reduction of a fingerprint's eight highest bits when a byte is appended."""
    return array("Q", (remainder(top << DEGREE, polynomial) for top in range(256)))


def out_table(polynomial: int) -> "array[int]":
    """Precompute how much a byte contributes to a fingerprint 64 bytes later, to remove it."""
    return array("Q", (remainder(byte << 8 * SPAN, polynomial) for byte in range(256)))


class PortableRabinCutter:
    """Does what the C extension does, byte by byte in Python."""

    def __init__(
        self, mod: Iterable[int], out: Iterable[int], min_size: int, max_size: int, mask: int
    ) -> None:
        self._mod, self._out = list(mod), list(out)
        self._min, self._max, self._mask = min_size, max_size, mask

    def ends(self, window: "Buffer", at_end: bool, /) -> list[int]:
        """See `nightsafe.chunker.chunker.Cutter`."""
        data, found, start = bytes(window), [], 0
        while start < len(data):
            end = self._search(data, start)
            if not end:
                if at_end:
                    found.append(len(data))
                break
            found.append(end)
            start = end
        return found

    def _search(self, data: bytes, start: int) -> int:
        """Return the end of the chunk that begins at `start`; 0 if it is not in `data`."""
        first, last = start + self._min, start + self._max
        if first > len(data):
            return 0
        mod, out, mask = self._mod, self._out, self._mask
        value = self._fingerprint(data[first - SPAN : first])
        if not value & mask:
            return first
        entering, leaving = data[first:last], data[first - SPAN : last - SPAN]
        for end, (byte, former) in enumerate(zip(entering, leaving, strict=False), first + 1):
            value = (value & _LOW_MASK) << 8 ^ mod[value >> _TOP] ^ byte ^ out[former]
            if not value & mask:
                return end
        return last if last <= len(data) else 0

    def _fingerprint(self, data: bytes) -> int:
        value = 0
        for byte in data:
            value = (value & _LOW_MASK) << 8 ^ self._mod[value >> _TOP] ^ byte
        return value


def new_rabin_cutter(polynomial: int) -> Cutter:
    """Return the fastest cutter available for a polynomial of degree 53."""
    mod, out = mod_table(polynomial), out_table(polynomial)
    if native is None:
        return PortableRabinCutter(mod, out, MIN_SIZE, MAX_SIZE, SPLIT_MASK)
    return native.Cutter(mod, out, MIN_SIZE, MAX_SIZE, SPLIT_MASK)
