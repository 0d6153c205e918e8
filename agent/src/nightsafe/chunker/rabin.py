"""Content-defined chunking exactly as stock restic does it.

A chunk ends behind a byte when the Rabin fingerprint of the last 64 bytes, modulo the vault's
own polynomial, ends in 20 zero bits; not before 512 KiB, and at the latest after 8 MiB. Bytes
are the coefficients of a polynomial over GF(2), the first byte's the highest, and the
fingerprint is the remainder of that. It depends on those 64 bytes alone.
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
"""How many bytes a fingerprint is of."""
SPLIT_MASK: Final = (1 << 20) - 1
_TOP = DEGREE - 8
_LOW_MASK = (1 << _TOP) - 1


def fold_table(polynomial: int) -> "array[int]":
    """What the eight highest bits of a fingerprint become when a byte is taken in."""
    return array("Q", (remainder(top << DEGREE, polynomial) for top in range(256)))


def leave_table(polynomial: int) -> "array[int]":
    """What a byte adds to a fingerprint 64 bytes later, when it has to be taken out."""
    return array("Q", (remainder(byte << 8 * SPAN, polynomial) for byte in range(256)))


class PortableRabinCutter:
    """Does what the C extension does, byte by byte in Python."""

    def __init__(
        self, fold: Iterable[int], leave: Iterable[int], min_size: int, max_size: int, mask: int
    ) -> None:
        self._fold, self._leave = list(fold), list(leave)
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
        """Where the chunk ends that begins at `start`; 0 if not in these bytes."""
        first, last = start + self._min, start + self._max
        if first > len(data):
            return 0
        fold, leave, mask = self._fold, self._leave, self._mask
        value = self._fingerprint(data[first - SPAN : first])
        if not value & mask:
            return first
        entering, leaving = data[first:last], data[first - SPAN : last - SPAN]
        for end, (byte, former) in enumerate(zip(entering, leaving, strict=False), first + 1):
            value = (value & _LOW_MASK) << 8 ^ fold[value >> _TOP] ^ byte ^ leave[former]
            if not value & mask:
                return end
        return last if last <= len(data) else 0

    def _fingerprint(self, data: bytes) -> int:
        value = 0
        for byte in data:
            value = (value & _LOW_MASK) << 8 ^ self._fold[value >> _TOP] ^ byte
        return value


def new_rabin_cutter(polynomial: int) -> Cutter:
    """The fastest cutter for this polynomial (of degree 53) there is here; all cut alike."""
    fold, leave = fold_table(polynomial), leave_table(polynomial)
    if native is None:
        return PortableRabinCutter(fold, leave, MIN_SIZE, MAX_SIZE, SPLIT_MASK)
    return native.Cutter(fold, leave, MIN_SIZE, MAX_SIZE, SPLIT_MASK)
