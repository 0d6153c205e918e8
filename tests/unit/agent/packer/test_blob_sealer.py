"""What is compressed, and what is not even tried."""

import os

import pytest
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.repository.repository import Repository

MIB = 1 << 20


@pytest.fixture
def sealer(repository: Repository) -> BlobSealer:
    return BlobSealer(repository.new_sealer(), compresses=True)


def test_large_blobs_like_one_that_did_not_shrink_are_not_tried(
    sealer: BlobSealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    compress = sealer.compress

    def count(content: bytes) -> bytes:
        tried.append(len(content))
        return compress(content)

    monkeypatch.setattr(sealer, "compress", count)
    for size in (MIB, MIB + 1, MIB + 2):
        dense = os.urandom(size)
        assert sealer.pack(dense) == (dense, 0)
    assert tried == [MIB]


@pytest.mark.parametrize("text_at", [0, MIB // 2, MIB - (32 << 10)], ids=["start", "middle", "end"])
def test_a_part_that_shrinks_is_enough_to_try(sealer: BlobSealer, text_at: int) -> None:
    assert sealer.pack(os.urandom(MIB))[1] == 0
    mixed = bytearray(os.urandom(MIB))
    mixed[text_at : text_at + (32 << 10)] = bytes(32 << 10)
    packed, plain_length = sealer.pack(bytes(mixed))
    assert plain_length == MIB
    assert len(packed) < MIB - (30 << 10)


def test_small_blobs_are_always_tried(sealer: BlobSealer) -> None:
    assert sealer.pack(os.urandom(MIB))[1] == 0
    dense = os.urandom(1000)
    assert sealer.pack(dense) == (dense, 0)
    assert sealer.pack(bytes(1000))[1] == 1000


def test_nothing_is_compressed_in_the_first_format(repository: Repository) -> None:
    sealer = BlobSealer(repository.new_sealer(), compresses=False)
    assert sealer.pack(bytes(MIB)) == (bytes(MIB), 0)
