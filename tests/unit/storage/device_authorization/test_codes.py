"""The codes that people type."""

import pytest

from storage.device_authorization import codes


def test_what_is_made() -> None:
    made = {codes.new_user_code() for _ in range(500)}
    assert len(made) == 500
    assert set("".join(made)) == set(codes.ALPHABET)
    assert {len(code) for code in made} == {codes.LENGTH}


def test_the_alphabet_makes_no_words_and_no_mistakes() -> None:
    assert not set(codes.ALPHABET) & set("AEIOUY01")


@pytest.mark.parametrize(
    "typed", ["WDJBMJHT", "wdjb-mjht", " WDJB MJHT ", "w.d.j.b-m_j_h_t", "WDJB\u2013MJHT"]
)
def test_how_it_is_typed_does_not_matter(typed: str) -> None:
    assert codes.normalise(typed) == "WDJBMJHT"


def test_shown() -> None:
    assert codes.shown("WDJBMJHT") == "WDJB-MJHT"


def test_a_long_text_stays_short() -> None:
    assert len(codes.normalise("x" * 10_000)) <= 2 * codes.LENGTH
