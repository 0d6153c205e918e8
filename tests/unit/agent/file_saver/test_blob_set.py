"""The set of ids that all worker processes share."""

import mmap
import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.file_saver.blob_set import BlobSet, PortableTable, Table

from tests.support.agent.extensions import needs

KEY = bytes(range(32))
BITS, LEVELS, START = 3, 3, 64
SIZE = START + 12 * (8 + 16 + 32)


@pytest.mark.parametrize("table", [Table, PortableTable])
def test_known_blobs_grow_and_are_shared(
    monkeypatch: pytest.MonkeyPatch, table: type[PortableTable], chance: random.Random
) -> None:
    monkeypatch.setattr("nightsafe.file_saver.blob_set.Table", table)
    known = BlobSet()
    ids = [chance.randbytes(32) for _ in range(60_001)]
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
    known = BlobSet()
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


@given(st.lists(st.integers(0, 90), max_size=120))
def test_both_tables_do_the_same_to_the_same_memory(numbers: list[int]) -> None:
    """Through all levels, the last one beyond its end."""
    with mmap.mmap(-1, SIZE) as one, mmap.mmap(-1, SIZE) as other:
        table = Table(one, KEY, START, BITS, LEVELS)
        portable = PortableTable(other, KEY, START, BITS, LEVELS)
        for number in numbers:
            blob_id = number.to_bytes(32, "big")
            assert table.contains(blob_id) == portable.contains(blob_id)
            assert table.claim(blob_id) == portable.claim(blob_id)
            assert table.contains(blob_id)
            assert one[:] == other[:]
        table.release()


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, SIZE) as held:
        yield held


@needs("blob_set")
@pytest.mark.parametrize(
    ("start", "bits", "levels"),
    [(START + 1, BITS, LEVELS), (-8, 0, 1), (8, 0, 2), (START, 31, 1), (START, 0, 0), (999, 0, 33)],
)
def test_a_table_never_reaches_beyond_its_memory(
    memory: mmap.mmap, start: int, bits: int, levels: int
) -> None:
    with pytest.raises(ValueError, match="within"):
        Table(memory, KEY, start, bits, levels)


@needs("blob_set")
def test_a_table_refuses_what_is_no_id_and_what_comes_late(memory: mmap.mmap) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Table(memory, b"short", START, BITS, LEVELS)
    table = Table(memory, KEY, START, BITS, LEVELS)
    for wrong in (b"short", "x" * 32):
        with pytest.raises(TypeError, match="32 bytes"):
            table.claim(wrong)  # type: ignore[arg-type]
    table.release()
    table.release()
    with pytest.raises(ValueError, match="released"):
        table.contains(bytes(32))
