"""The chunker: against vectors, against a slow oracle, and whatever way a file is read."""

import hashlib
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightsafe.chunker.chunker import (
    AVERAGE_SIZE,
    BUFFER_SIZE,
    MAX_SIZE,
    MIN_SIZE,
    WINDOW_SIZE,
    Chunker,
    Cut,
    PortableCutter,
    derive_gear,
    new_cutter,
)
from nightsafe.crypto.seal_key import SealKey
from nightsafe.workers.shared_buffers import SharedBuffers

from backup_service.env import BASE_DIR
from tests.support.agent import slow_chunker
from tests.support.agent.extensions import needs

VECTOR = json.loads((BASE_DIR / "tests" / "vectors" / "chunker.json").read_text())
MASTER = SealKey(*(bytes.fromhex(VECTOR[name]) for name in ("encrypt", "mac_k", "mac_r")))
MASTER_BYTES = MASTER.encrypt + MASTER.mac_k + MASTER.mac_r
TABLE = slow_chunker.table_of(MASTER_BYTES)[0]


def stream(label: str, size: int) -> bytes:
    """Bytes that anybody can make again: SHA-256 of label, colon and block number."""
    blocks = (hashlib.sha256(f"{label}:{i}".encode()).digest() for i in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def lengths(data: bytes, *, slices: random.Random | None = None) -> list[int]:
    source = io.BytesIO(data)

    def read(size: int) -> bytes:
        return source.read(size if slices is None else slices.randint(1, size))

    chunks = list(Chunker(new_cutter(derive_gear(MASTER))).chunks(read))
    assert b"".join(chunks) == data
    return [len(chunk) for chunk in chunks]


@pytest.mark.parametrize("case", VECTOR["cases"], ids=lambda case: case["label"])
def test_vectors(case: dict[str, Any]) -> None:
    size = case["size"]
    data = bytes(size) if case["label"] == "zeros" else stream(case["label"], size)
    assert lengths(data) == case["lengths"]


def test_secret_of_the_vector() -> None:
    secret = derive_gear(MASTER)
    assert secret.permutation.hex() == VECTOR["permutation"]
    assert f"{secret.seed:016x}" == VECTOR["seed"]


@given(st.binary(min_size=64, max_size=64))
def test_secret_is_what_the_oracle_says(master: bytes) -> None:
    key = SealKey.from_bytes(master)
    secret = derive_gear(key)
    _, permutation, seed = slow_chunker.table_of(key.encrypt + key.mac_k + key.mac_r)
    assert list(secret.permutation) == permutation
    assert sorted(permutation) == list(range(256))
    assert secret.seed == seed
    assert 0 < seed < 2**63


def test_gear_table_is_the_published_one() -> None:
    raw = b"".join(value.to_bytes(8, "little") for value in slow_chunker.GEAR)
    assert hashlib.sha256(raw).hexdigest() == VECTOR["gear_table_sha256"]


def test_secrets_do_not_show_themselves() -> None:
    secret = derive_gear(MASTER)
    assert str(secret.seed) not in repr(secret)
    assert "permutation" not in repr(secret)


@pytest.mark.parametrize(
    "size",
    [
        *(0, 1, MIN_SIZE - 1, MIN_SIZE, MIN_SIZE + 1, MIN_SIZE + 2),
        *(AVERAGE_SIZE - 1, AVERAGE_SIZE, AVERAGE_SIZE + 1, 2_500_001),
    ],
)
def test_oracle_agrees_at_the_edges(size: int) -> None:
    data = stream("edges", size)
    assert lengths(data) == slow_chunker.cut_lengths(data, TABLE)


def test_oracle_agrees_on_bytes_that_repeat() -> None:
    data = stream("pattern", 1000) * 3000
    assert lengths(data) == slow_chunker.cut_lengths(data, TABLE)


@pytest.mark.parametrize("extra", [0, 1, MIN_SIZE + 1])
def test_largest_chunks(extra: int) -> None:
    """Zeros never give a cut, so every chunk has the greatest size."""
    assert lengths(bytes(MAX_SIZE + extra)) == [MAX_SIZE, *([extra] if extra else [])]


def test_two_windows_of_zeros() -> None:
    assert lengths(bytes(WINDOW_SIZE + MAX_SIZE)) == [MAX_SIZE] * 3


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3 * WINDOW_SIZE // 2))
def test_cuts_do_not_depend_on_how_the_file_is_read(seed: int, size: int) -> None:
    chance = random.Random(seed)  # hypothesis itself would keep account of every byte
    data = stream("slices", 1 << 20) * (size // (1 << 20)) + chance.randbytes(size % (1 << 20))
    whole = lengths(data)
    assert lengths(data, slices=chance) == whole
    assert all(MIN_SIZE <= length <= MAX_SIZE for length in whole[:-1])


def test_cuts_do_not_depend_on_where_the_window_ends(chance: random.Random) -> None:
    """The whole file at once, as the library cuts it, against window after window."""
    data = chance.randbytes(5 * WINDOW_SIZE + 12_345)
    at_once = PortableCutter(derive_gear(MASTER)).ends(data, True)
    assert list(accumulate(lengths(data))) == at_once

    chunker = Chunker(new_cutter(derive_gear(MASTER)))
    for size in (MAX_SIZE, BUFFER_SIZE, WINDOW_SIZE, WINDOW_SIZE + 4321):
        assert scanned(data, chunker, size) == at_once
    zeros = bytes(3 * MAX_SIZE + 5)
    ends = list(accumulate(lengths(zeros)))
    assert scanned(zeros, chunker, MAX_SIZE) == scanned(zeros, chunker) == ends


def test_a_scan_waits_for_buffers_and_gives_what_it_read(chance: random.Random) -> None:
    """Several files one after the other, of all of which some chunks are held for a while."""
    buffers = SharedBuffers(BUFFER_SIZE, 3)
    chunker = Chunker(new_cutter(derive_gear(MASTER)))
    held: list[tuple[int, Cut, bytes]] = []
    waits = 0
    for size in (3 * WINDOW_SIZE, 5, 0, MAX_SIZE, 100_000, WINDOW_SIZE + 1, 2 * WINDOW_SIZE):
        data = chance.randbytes(size // 2) + bytes(size - size // 2)
        whole, place = bytearray(), 0
        for cut in chunker.scan(reader(data), buffers):
            if cut is None:
                waits += 1
                for number, former, expected in held:
                    assert buffers.memory[former.place :][: former.length] == expected
                    buffers.release(number)
                held.clear()
                continue
            assert (cut.offset, buffers.buffer_of(cut.place + cut.length - 1)) == (
                place,
                buffers.buffer_of(cut.place),
            )
            buffers.acquire(buffers.buffer_of(cut.place))
            read = bytes(buffers.memory[cut.place :][: cut.length])
            held.append((buffers.buffer_of(cut.place), cut, read))
            whole += read
            place += cut.length
        assert whole == data
    assert waits


def reader(data: bytes) -> Callable[[memoryview, int], int]:
    def read_into(view: memoryview, offset: int) -> int:
        part = data[offset : offset + len(view)]
        view[: len(part)] = part
        return len(part)

    return read_into


def scanned(data: bytes, chunker: Chunker, size: int = BUFFER_SIZE) -> list[int]:
    """The ends of the chunks of a file that is read into memory of which none is held."""
    found = chunker.scan(reader(data), SharedBuffers(size, 2))
    return [cut.offset + cut.length for cut in found if cut is not None]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, WINDOW_SIZE), st.booleans())
def test_extension_and_library_cut_alike(seed: int, size: int, at_end: bool) -> None:
    chance = random.Random(seed)
    data = bytearray(chance.randbytes(size))
    if size:
        start = chance.randrange(size)
        data[start : start + chance.randrange(MAX_SIZE)] = bytes(chance.randrange(MAX_SIZE))
    secret = derive_gear(MASTER)
    expected = PortableCutter(secret).ends(data, at_end)
    if not at_end:  # at an odd end the library looks at one byte less
        expected = [end for end in expected if end < len(data) - 1 or end % MAX_SIZE == 0]
    found = new_cutter(secret).ends(data, at_end)
    assert found == expected or (not at_end and found[: len(expected)] == expected)


@needs("fastcdc")
@pytest.mark.parametrize(
    ("table", "sizes"), [(2047, (1, 2, 4)), (2048, (0, 2, 4)), (2048, (2, 2, 4)), (2048, (1, 2, 3))]
)
def test_the_extension_refuses_nonsense(table: int, sizes: tuple[int, int, int]) -> None:
    from nightsafe._native import fastcdc

    with pytest.raises(ValueError, match="no sense"):
        fastcdc.Cutter(bytes(table), *sizes, 1, 1)


def test_an_insertion_moves_few_cuts() -> None:
    data = stream("insertion", 12 << 20)
    before = {len(chunk) for chunk in cut(data)}
    after = {len(chunk) for chunk in cut(data[:100] + b"!" + data[100:])}
    assert len(before - after) <= 2


def cut(data: bytes) -> list[bytes]:
    return list(Chunker(new_cutter(derive_gear(MASTER))).chunks(io.BytesIO(data).read))


def test_another_key_cuts_elsewhere() -> None:
    data = stream("keys", 6 << 20)
    other = Chunker(new_cutter(derive_gear(SealKey.from_bytes(bytes(64)))))
    assert [len(c) for c in other.chunks(io.BytesIO(data).read)] != lengths(data)


@needs("fastcdc")
def test_chunks_may_all_be_of_the_least_size() -> None:
    """Then there are the most that there can be, and room is there for each of them."""
    code = (
        "from nightsafe._native.fastcdc import Cutter\n"
        "ends = Cutter(bytes(2048), 16, 32, 64, 1, 1).ends(bytes(10_000), True)\n"
        "assert ends == list(range(16, 10_001, 16))\n"
    )
    # Python's own allocator sees then what is written behind the memory's end.
    environment = {**os.environ, "PYTHONMALLOC": "debug"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
