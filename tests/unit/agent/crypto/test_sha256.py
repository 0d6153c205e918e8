"""SHA-256 of several texts: each is what the library says, whatever their number and lengths."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.crypto.sha256 import digests, portable_digests

from tests.support.agent.extensions import needs


@given(st.lists(st.binary(max_size=300), max_size=9))
def test_the_same_comes_out_one_way_and_the_other(texts: list[bytes]) -> None:
    assert digests(texts) == portable_digests(texts)


@given(st.lists(st.integers(0, 70_000), max_size=7), st.binary(min_size=1, max_size=50))
def test_lengths_of_any_kind_beside_each_other(lengths: list[int], pattern: bytes) -> None:
    stream = memoryview(pattern * (70_000 // len(pattern) + 1))
    texts = [stream[start : start + length] for start, length in enumerate(lengths)]
    assert digests(texts) == portable_digests(texts)


def test_every_length_about_the_ends_of_blocks() -> None:
    texts = [os.urandom(length) for length in range(260)]
    assert digests(texts) == portable_digests(texts)
    assert digests(tuple(reversed(texts))) == portable_digests(texts[::-1])
    assert [digests([text]) for text in texts] == [[one] for one in portable_digests(texts)]


def test_the_standards_example() -> None:
    (found,) = digests([b"abc"])
    assert found.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@needs("sha256")
def test_it_refuses_what_is_not_text() -> None:
    for given_ in (["text"], [b"", 5], 7):
        with pytest.raises(TypeError):
            digests(given_)  # type: ignore[arg-type]
