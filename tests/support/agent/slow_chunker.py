"""The chunker once more, slow and plain, from `docs/format.md` alone: the oracle of the tests."""

import hashlib
import hmac
import json

from backup_service.env import BASE_DIR

MIN, AVERAGE, MAX = 512 * 1024, 1024 * 1024, 8 * 1024 * 1024
MASK_BEFORE_AVERAGE = 0x0000D91767537000
MASK_AFTER_AVERAGE = 0x0000D91707537000
GEAR = [
    int(value, 16)
    for value in json.loads((BASE_DIR / "tests" / "vectors" / "gear-table.json").read_text())
]


def expand(master: bytes, length: int) -> bytes:
    """HKDF-SHA256 with an empty salt."""
    extracted = hmac.new(b"", master, hashlib.sha256).digest()
    out = block = b""
    for counter in range(1, 256):
        block = hmac.new(
            extracted, block + b"nightsafe/chunker/gear/1" + bytes([counter]), hashlib.sha256
        ).digest()
        out += block
        if len(out) >= length:
            break
    return out[:length]


def table_of(master: bytes) -> tuple[list[int], list[int], int]:
    """Gear table, permutation and seed from the 64 bytes of a master key."""
    stream = expand(master, 8 + 4096)
    seed = int.from_bytes(stream[:8], "little") % 2**63
    if seed == 0:
        seed = 1
    permutation, position = list(range(256)), 8
    for i in range(255, 0, -1):
        while True:
            word = stream[position] + 256 * stream[position + 1]
            position += 2
            if word < 65536 // (i + 1) * (i + 1):
                break
        j = word % (i + 1)
        permutation[i], permutation[j] = permutation[j], permutation[i]
    return [GEAR[permutation[b]] ^ seed for b in range(256)], permutation, seed


def first_cut(data: bytes, table: list[int]) -> int:
    """The length of the first chunk of `data`, the whole rest of the stream."""
    if len(data) <= MIN:
        return len(data)
    end = min(len(data), MAX)
    hashed = 0
    for position in range(MIN, end - end % 2):
        hashed = (2 * hashed + table[data[position]]) % 2**64
        mask = MASK_BEFORE_AVERAGE if position < AVERAGE else MASK_AFTER_AVERAGE
        if hashed & mask == 0:
            return position
    return end


def cut_lengths(data: bytes, table: list[int]) -> list[int]:
    """The lengths of all chunks of `data`."""
    lengths, start = [], 0
    while start < len(data):
        length = first_cut(data[start : start + MAX + 1], table)
        lengths.append(length)
        start += length
    return lengths
