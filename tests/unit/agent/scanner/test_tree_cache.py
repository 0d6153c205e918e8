"""The cache of unchanged folders: what was put in is found, and nothing else."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.scanner.tree_cache import CacheHead, CacheWriter, FolderRecord, TreeCache, load_cache

HEAD = CacheHead("s" * 64, 1, ("i",), ())
# Few different beginnings, so that many keys begin alike.
KEYS = st.builds(
    lambda start, end: start * 8 + end,
    st.sampled_from([b"\0", b"\x7f", b"\x80", b"\xff"]),
    st.sampled_from([b"\0" * 8, b"\0" * 7 + b"\1", b"\xff" * 8, b"abcdefgh"]),
)


def record(key: bytes) -> FolderRecord:
    return FolderRecord(key, key[::-1], key + key[::-1], 7, 1 << 40)


def loaded(keys: list[bytes], place: Path) -> TreeCache:
    writer = CacheWriter()
    for key in keys:
        writer.add(record(key))
    path = os.path.join(place, "cache", "x.trees")
    writer.save(path, HEAD)
    cache = load_cache(path)
    assert cache is not None
    return cache


@given(st.lists(KEYS, unique=True), KEYS)
def test_what_was_put_in_is_found(
    tmp_path_factory: pytest.TempPathFactory, keys: list[bytes], other: bytes
) -> None:
    cache = loaded(keys, tmp_path_factory.mktemp("cache"))
    assert (cache.head, cache.count) == (HEAD, len(keys))
    for key in keys:
        assert cache.get(key) == record(key)
    assert cache.get(other) == (record(other) if other in keys else None)


def test_many_random_folders(tmp_path: Path) -> None:
    keys = [os.urandom(16) for _ in range(3000)]
    cache = loaded(keys[:2000], tmp_path)
    assert all(cache.get(key) == record(key) for key in keys[:2000])
    assert not any(cache.get(key) for key in keys[2000:])


def test_half_a_record_at_the_end_is_passed_over(tmp_path: Path) -> None:
    loaded([b"k" * 16, b"l" * 16], tmp_path)
    path = tmp_path / "cache" / "x.trees"
    path.write_bytes(path.read_bytes()[:-5])
    cache = load_cache(str(path))
    assert cache is not None
    assert cache.get(b"k" * 16) == record(b"k" * 16)
    assert cache.get(b"l" * 16) is None
