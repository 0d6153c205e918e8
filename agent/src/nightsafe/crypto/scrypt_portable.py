"""scrypt's memory-hard part in Python, for parameters that OpenSSL does not accept.

OpenSSL refuses 2 ** (16 r) iterations and more. Stock restic writes such keys on fast computers,
where it lowers r to 1 to save memory. This takes about a minute, the C extension a moment.
"""

from array import array

_MASK = 0xFFFFFFFF
_WORDS = 16
_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
_QUARTER_ROUNDS = tuple(
    step
    for a, b, c, d in (*_COLUMNS, *_ROWS)
    for step in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18))
)


def romix(lanes: bytes, n: int, r: int) -> bytes:
    """Apply scryptROMix (RFC 7914) with `n` iterations to each lane of 128 r bytes."""
    size = 128 * r
    return b"".join(_mix(lanes[start : start + size], n, r) for start in range(0, len(lanes), size))


def _mix(lane: bytes, n: int, r: int) -> bytes:
    count = 2 * _WORDS * r
    words = [int.from_bytes(lane[4 * i : 4 * i + 4], "little") for i in range(count)]
    past = array("I", bytes(4 * count * n))
    for iteration in range(n):
        past[iteration * count : (iteration + 1) * count] = array("I", words)
        words = _mix_blocks(words)
    for _ in range(n):
        at = words[-_WORDS] % n * count  # n is at most 2 ** 32: the first word is enough
        words = _mix_blocks([a ^ b for a, b in zip(words, past[at : at + count], strict=True)])
    return b"".join(word.to_bytes(4, "little") for word in words)


def _mix_blocks(words: list[int]) -> list[int]:
    block, mixed = words[-_WORDS:], []
    for start in range(0, len(words), _WORDS):
        block = _salsa([a ^ b for a, b in zip(block, words[start : start + _WORDS], strict=True)])
        mixed.append(block)
    return [word for several in (mixed[::2], mixed[1::2]) for one in several for word in one]


def _salsa(block: list[int]) -> list[int]:
    """Apply Salsa20/8 to a block of 16 words."""
    x = block.copy()
    for _ in range(4):
        for target, one, other, bits in _QUARTER_ROUNDS:
            total = (x[one] + x[other]) & _MASK
            x[target] ^= (total << bits | total >> 32 - bits) & _MASK
    return [(a + b) & _MASK for a, b in zip(x, block, strict=True)]
