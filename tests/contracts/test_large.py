"""A large object goes in and comes out a piece at a time, however large it is."""

import hashlib
import os
import tracemalloc

import pytest

from storage.object_names import ObjectName, ObjectType, StoreKey
from storage.stores.base import CHUNK, RegionStore
from storage.stores.memory import MemoryStore
from tests.contracts.test_regions import VAULT

SIZE = 300 * 1024 * 1024  # bytes
HELD = 16 * 1024 * 1024  # bytes that may be in memory meanwhile


class Repeating:
    """`size` bytes: one random piece, again and again."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece = piece
        self._at = 0
        self._size = size

    def read(self, size: int, /) -> bytes:
        begin = self._at % len(self._piece)
        piece = self._piece[begin : begin + min(size, self._size - self._at)]
        self._at += len(piece)
        return piece


def test_a_large_object(store: RegionStore) -> None:
    if isinstance(store, MemoryStore):  # it would prove nothing: this is about bounded memory
        pytest.skip("a region in memory holds everything there")
    piece = os.urandom(CHUNK)
    name = hashlib.sha256(piece * (SIZE // CHUNK)).hexdigest()
    where = StoreKey(VAULT, ObjectName(ObjectType.DATA, name), "1" * 32)
    tracemalloc.start()
    try:
        store.put(where, Repeating(piece, SIZE), SIZE)
        digest = hashlib.sha256()
        with store.open(where) as reader:
            for found in reader.chunks():
                digest.update(found)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert digest.hexdigest() == name
    assert peak < HELD
