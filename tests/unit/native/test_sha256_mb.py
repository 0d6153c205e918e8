"""Hashes of several streams side by side: what `hashlib` says of each of them."""

import hashlib
import os
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe_native.sha256_mb import PortableRunning, new_digest, portable_update_all, update_all

SIZES = st.sampled_from([0, 1, 55, 56, 63, 64, 65, 127, 128, 129, 1000]) | st.integers(0, 400)
TURNS = st.integers(1, 8).flatmap(
    lambda streams: st.lists(st.lists(SIZES, min_size=streams, max_size=streams), max_size=6)
)
WAYS = pytest.mark.parametrize(
    ("new", "update"), [(new_digest, update_all), (PortableRunning, portable_update_all)]
)
IS_BUILT = not isinstance(new_digest(), PortableRunning)


def test_the_extension_is_there_where_it_has_to_be() -> None:
    """In CI, on processors that can."""
    with open("/proc/cpuinfo") as file:
        can = " sha_ni" in file.read()
    if not os.environ.get("CI") or not can:
        # hashlib does the same work there, so nobody is held up.
        pytest.skip("not in CI, or a processor without instructions for SHA-256")
    assert IS_BUILT


@WAYS
@given(turns=TURNS, seed=st.integers(0, 255))
def test_any_pieces_of_any_streams(
    new: Callable[[], object], update: Callable[..., None], turns: list[list[int]], seed: int
) -> None:
    streams = len(turns[0]) if turns else 1
    running, expected = [new() for _ in range(streams)], [b""] * streams
    for number, sizes in enumerate(turns):
        pieces = [
            bytes((seed + number * 7 + place * 13 + n * n) % 256 for n in range(size))
            for place, size in enumerate(sizes)
        ]
        update(running, pieces)
        expected = [whole + piece for whole, piece in zip(expected, pieces, strict=True)]
        # Asked in between, it goes on all the same.
        assert [one.hexdigest() for one in running] == [  # type: ignore[attr-defined]
            hashlib.sha256(whole).hexdigest() for whole in expected
        ]


@WAYS
def test_long_streams_of_different_lengths(
    new: Callable[[], object], update: Callable[..., None]
) -> None:
    texts = [os.urandom(size) for size in (3_000_001, 64, 2_000_000, 0, 1_234_567)]
    running = [new() for _ in texts]
    for start in range(0, 3_000_001, 100_003):
        update(running, [memoryview(text)[start : start + 100_003] for text in texts])
    assert [one.hexdigest() for one in running] == [  # type: ignore[attr-defined]
        hashlib.sha256(text).hexdigest() for text in texts
    ]


@WAYS
def test_what_makes_no_sense_is_refused(
    new: Callable[[], object], update: Callable[..., None]
) -> None:
    one, other = new(), new()
    with pytest.raises(ValueError, match="stream of its own"):
        update([one, one], [b"a", b"b"])
    with pytest.raises(ValueError, match="piece"):
        update([one, other], [b"a"])
    update([one, other], [b"a", b"b"])
    assert one.hexdigest() == hashlib.sha256(b"a").hexdigest()  # type: ignore[attr-defined]


@pytest.mark.skipif(not IS_BUILT, reason="the extension is not built here")
def test_what_the_extension_cannot_take() -> None:
    with pytest.raises(TypeError):
        update_all([object()], [b"a"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        update_all([new_digest()], ["text"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="few"):
        update_all([new_digest() for _ in range(65)], [b""] * 65)


def test_threads_with_streams_of_their_own() -> None:
    text = os.urandom(1 << 20)
    expected, found = hashlib.sha256(text * 8).hexdigest(), list[str]()

    def work() -> None:
        running = [new_digest() for _ in range(3)]
        for _ in range(8):
            update_all(running, [text] * 3)
        found.extend(one.hexdigest() for one in running)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 12
