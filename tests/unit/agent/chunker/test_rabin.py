"""Stock restic's chunker: extension and Python cut alike, and where the arithmetic says."""

import io
import random
from array import array
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightsafe.chunker.chunker import MAX_SIZE, MIN_SIZE, WINDOW_SIZE, Chunker, Cutter
from nightsafe.chunker.polynomial import DEGREE, random_polynomial, remainder
from nightsafe.chunker.rabin import (
    SPAN,
    SPLIT_MASK,
    PortableRabinCutter,
    mod_table,
    new_rabin_cutter,
    out_table,
)

from tests.support.agent.extensions import is_built, needs
from tests.unit.agent.chunker.test_chunker import scanned

POLYNOMIAL = 0x3DA3358B4DC173
FOLD, LEAVE = mod_table(POLYNOMIAL), out_table(POLYNOMIAL)
# Small sizes and a loose mask, so that a little data has many cuts in all sorts of places;
# the greatest is several times the 16 KiB that the extension looks at side by side.
SMALL = (300, 60_000, (1 << 13) - 1)

needs_rabin = needs("rabin")


def portable(*sizes: int) -> PortableRabinCutter:
    return PortableRabinCutter(FOLD, LEAVE, *(sizes or (MIN_SIZE, MAX_SIZE, SPLIT_MASK)))


def slow_ends(data: bytes, min_size: int, max_size: int, mask: int) -> list[int]:
    """Where a whole file is cut, by the definition: one long division for each place."""
    ends, start = [], 0
    while start < len(data):
        last = min(start + max_size, len(data))
        places = range(start + min_size, last + 1)
        start = next((end for end in places if not fingerprint(data, end) & mask), last)
        ends.append(start)
    return ends


def fingerprint(data: bytes | bytearray, end: int) -> int:
    return remainder(int.from_bytes(data[end - SPAN : end], "big"), POLYNOMIAL)


def with_cut_at(size: int, end: int) -> bytes:
    """Bytes of which those before `end` have the fingerprint 0, and no others before them."""
    data = bytearray(b"\x01" * size)
    head = remainder(int.from_bytes(data[end - SPAN : end - 7], "big") << 56, POLYNOMIAL)
    data[end - 7 : end] = head.to_bytes(7, "big")
    assert fingerprint(data, end) == 0
    return bytes(data)


# The definition


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3000))
def test_python_cuts_where_the_arithmetic_says(seed: int, size: int) -> None:
    data = random.Random(seed).randbytes(size)
    assert portable(100, 900, 255).ends(data, True) == slow_ends(data, 100, 900, 255)


@needs_rabin
def test_a_real_cut_ends_in_twenty_zero_bits(chance: random.Random) -> None:
    polynomial, data = random_polynomial(), chance.randbytes(12 << 20)
    ends = new_rabin_cutter(polynomial).ends(data, True)
    assert ends[-1] == len(data)
    assert len(ends) > 2
    for before, end in pairwise([0, *ends[:-1]]):
        value = remainder(int.from_bytes(data[end - SPAN : end], "big"), polynomial)
        assert end - before == MAX_SIZE or value % (1 << 20) == 0


@needs_rabin
def test_another_polynomial_cuts_elsewhere(chance: random.Random) -> None:
    data = chance.randbytes(8 << 20)
    ends = [new_rabin_cutter(p).ends(data, True) for p in (POLYNOMIAL, 0x25B468838DCB75)]
    assert not set(ends[0][:-1]) & set(ends[1][:-1])


# The edges, with the true sizes


@pytest.fixture(params=[pytest.param("extension", marks=needs_rabin), "portable"])
def cutter(request: pytest.FixtureRequest) -> Cutter:
    return portable() if request.param == "portable" else new_rabin_cutter(POLYNOMIAL)


@pytest.mark.parametrize("size", [0, 1, SPAN - 1, SPAN, MIN_SIZE - 1, MIN_SIZE, MIN_SIZE + 1])
def test_up_to_the_least_size_there_is_one_chunk(cutter: Cutter, size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert cutter.ends(data, True) == ([size] if size else [])
    assert cutter.ends(data, False) == []


@pytest.mark.parametrize("end", [MIN_SIZE, MIN_SIZE + 1, MIN_SIZE + 16_384, MIN_SIZE + 16_385])
@pytest.mark.parametrize("more", [0, 1, 40_000])
def test_a_cut_at_a_known_place(cutter: Cutter, end: int, more: int) -> None:
    """Also when it is the last byte there is: more bytes cannot move it."""
    data = with_cut_at(end + more, end)
    assert cutter.ends(data, False) == [end]
    assert cutter.ends(data, True) == ([end, end + more] if more else [end])


def test_before_the_least_size_nothing_is_cut(cutter: Cutter) -> None:
    size = MIN_SIZE + 1000
    assert cutter.ends(with_cut_at(size, MIN_SIZE - 1), True) == [size]


def test_zeros_are_cut_at_once(cutter: Cutter) -> None:
    """The fingerprint of zeros is 0, so every chunk of them has the least size."""
    data = bytes(3 * MIN_SIZE + 7)
    ends = [MIN_SIZE, 2 * MIN_SIZE, 3 * MIN_SIZE]
    assert cutter.ends(data, True) == [*ends, len(data)]
    assert cutter.ends(data, False) == ends


@needs_rabin
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_greatest_size(more: int) -> None:
    """A byte that repeats has one fingerprint; this one's gives no cut."""
    data, cutter = b"\x01" * (MAX_SIZE + more), new_rabin_cutter(POLYNOMIAL)
    assert cutter.ends(data, True) == ([MAX_SIZE, len(data)] if more > 0 else [len(data)])
    assert cutter.ends(data, False) == ([] if more < 0 else [MAX_SIZE])
    if not more:
        assert portable().ends(data, False) == [MAX_SIZE]


# Extension and Python


@needs_rabin
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 200_000), st.booleans())
def test_both_cut_alike(seed: int, size: int, at_end: bool) -> None:
    from nightsafe._native import rabin as in_c

    chance = random.Random(seed)
    data = bytearray(chance.randbytes(size))
    for byte in (0, 1, 255):  # stretches that are cut at once, and others that never are
        start, length = chance.randrange(size + 1), chance.randrange(80_000)
        data[start : start + length] = bytes([byte]) * min(length, size - start)
    found = in_c.Cutter(FOLD, LEAVE, *SMALL).ends(data, at_end)
    assert found == portable(*SMALL).ends(data, at_end)
    assert len(data) == size


@needs_rabin
@settings(max_examples=20, deadline=None)
@given(st.integers(SPAN, 700), st.integers(0, 40_000), st.integers(0, 15), st.integers(0, 2**32))
def test_both_cut_alike_with_any_sizes(min_size: int, more: int, bits: int, seed: int) -> None:
    from nightsafe._native import rabin as in_c

    data = random.Random(seed).randbytes(90_000)
    sizes = (min_size, min_size + more, (1 << bits) - 1)
    found = in_c.Cutter(FOLD, LEAVE, *sizes).ends(data, True)
    assert found == portable(*sizes).ends(data, True)


@needs_rabin
def test_both_cut_alike_with_the_true_sizes(chance: random.Random) -> None:
    data = chance.randbytes(5 << 20)
    assert new_rabin_cutter(POLYNOMIAL).ends(data, True) == portable().ends(data, True)


def test_without_the_extension_python_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightsafe.chunker.rabin.native", None)
    assert isinstance(new_rabin_cutter(POLYNOMIAL), PortableRabinCutter)


# Windows


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 70_000), min_size=1, max_size=9))
def test_cuts_do_not_depend_on_the_windows(seed: int, windows: list[int]) -> None:
    data = random.Random(seed).randbytes(sum(windows))
    whole = portable(*SMALL).ends(data, True)
    for make in cutters():
        ends, start, held = [], 0, 0
        for size in windows:
            held += size
            ends += [start + end for end in make.ends(data[start:held], held == len(data))]
            start = ends[-1] if ends else 0
        assert ends == whole


def cutters() -> list[Cutter]:
    """Both where both are there."""
    both: list[Cutter] = [portable(*SMALL)]
    if is_built("rabin"):
        from nightsafe._native import rabin as in_c

        both.append(in_c.Cutter(FOLD, LEAVE, *SMALL))
    return both


@needs_rabin
@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32))
def test_cuts_do_not_depend_on_how_a_file_is_read(seed: int) -> None:
    chance = random.Random(seed)
    data = chance.randbytes(2 * WINDOW_SIZE + 12_345)
    chunker, source = Chunker(new_rabin_cutter(POLYNOMIAL)), io.BytesIO(data)
    chunks = list(chunker.chunks(lambda size: source.read(chance.randint(1, size))))
    assert b"".join(chunks) == data
    ends = chunker.ends(data)
    assert scanned(data, chunker) == ends
    assert [len(chunk) for chunk in chunks] == [b - a for a, b in pairwise([0, *ends])]


# What the extension refuses


@needs_rabin
@pytest.mark.parametrize(
    ("fold", "leave", "sizes"),
    [
        (FOLD[:255], LEAVE, (64, 128)),
        (FOLD, LEAVE[:255], (64, 128)),
        (array("Q", [1 << DEGREE] * 256), LEAVE, (64, 128)),
        (FOLD, array("Q", [1 << DEGREE] * 256), (64, 128)),
        (FOLD, LEAVE, (63, 128)),
        (FOLD, LEAVE, (65, 64)),
        (FOLD, LEAVE, (-1, 64)),
    ],
)
def test_the_extension_refuses_nonsense(
    fold: "array[int]", leave: "array[int]", sizes: tuple[int, int]
) -> None:
    from nightsafe._native import rabin as in_c

    with pytest.raises(ValueError, match="no sense"):
        in_c.Cutter(fold, leave, *sizes, 1)
