"""The set of ids that all worker processes share."""

import mmap
import os
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.known import KnownBlobs, find, portable_find


@pytest.mark.parametrize("how", [find, portable_find])
def test_known_blobs_grow_and_are_shared(
    monkeypatch: pytest.MonkeyPatch, how: Callable[..., tuple[int, bool, int]]
) -> None:
    monkeypatch.setattr("nightsafe.known.find", how)
    known = KnownBlobs()
    ids = [random.Random(7).randbytes(32) for _ in range(1)]
    chance = random.Random(8)
    ids += [chance.randbytes(32) for _ in range(60_000)]
    assert all(known.claim(blob) for blob in ids)
    assert not any(known.claim(blob) for blob in ids)
    assert all(blob in known for blob in ids)
    assert chance.randbytes(32) not in known
    if (child := os.fork()) == 0:
        known.claim(bytes(31) + b"\1")
        os._exit(0 if ids[5] in known else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert bytes(31) + b"\1" in known
    known.close()


def test_many_writers_never_fill_a_level() -> None:
    """Counts that race come out low; claiming must end all the same."""
    known = KnownBlobs()
    children = []
    for seed in range(3):
        if (child := os.fork()) == 0:
            chance = random.Random(seed)
            for _ in range(40_000):
                known.claim(chance.randbytes(32))
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert random.Random(1).randbytes(32) in known
    known.close()


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 9), st.integers(1, 12))
def test_ids_are_found_the_same_way(filled: list[int], sought: int, slots: int) -> None:
    """Ids that begin alike stand close together, around the table's end too."""
    with mmap.mmap(-1, mmap.PAGESIZE) as table:
        for number in filled[: slots - 1]:
            place, found, _ = portable_find(table, 64, slots, bytes([number // 3]) * 11 + b"x")
            if not found:
                table[place : place + 12] = bytes([number // 3]) * 11 + b"x"
        mark = bytes([sought // 3]) * 11 + b"x"
        assert find(table, 64, slots, mark) == portable_find(table, 64, slots, mark)


def test_a_table_never_reaches_beyond_its_memory() -> None:
    if find is portable_find:
        pytest.skip("_known is not built here")
    with mmap.mmap(-1, mmap.PAGESIZE) as table:
        for start, slots in ((-1, 1), (0, 0), (0, mmap.PAGESIZE // 12 + 1), (mmap.PAGESIZE, 1)):
            with pytest.raises(ValueError, match="within"):
                find(table, start, slots, bytes(12))
