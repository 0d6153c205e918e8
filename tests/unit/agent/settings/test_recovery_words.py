"""The words of a recovery kit are read however they are typed; what is wrong is named."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic
from nightsafe.errors import SettingsError
from nightsafe.settings.passphrase import find_passphrase
from nightsafe.settings.recovery_words import hint, new_words, read_words

ENGLISH = Mnemonic("english")
WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"


def test_they_differ_and_carry_128_bits() -> None:
    codes = {new_words() for _ in range(50)}
    assert len(codes) == 50
    assert all(len(ENGLISH.to_entropy(code)) == 16 for code in codes)


@given(st.binary(min_size=16, max_size=16), st.randoms())
def test_they_are_read_however_they_are_typed(entropy: bytes, chance: random.Random) -> None:
    code = ENGLISH.to_mnemonic(entropy)
    words = [
        chance.choice([word, word.upper(), word.title(), word[:4], word[:5]])
        for word in code.split()
    ]
    numbered = [
        f"{number}. {word}" if chance.random() < 0.5 else word
        for number, word in enumerate(words, 1)
    ]
    typed = chance.choice([" ", "  ", ", ", "-", "\n", "\t"]).join(numbered)
    assert read_words(f" {typed}\r\n") == code
    assert hint(typed) == ""


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "12 words, and these are 0"),
        (WORDS.removesuffix(" yellow"), "12 words, and these are 11"),
        (f"{WORDS} yellow", "12 words, and these are 13"),
        (WORDS.replace("sausage", "sausige"), r"Word 6 .*'sausige', .*sausage"),
        (WORDS.replace("wave", "qqqq"), r"Word 5 .*'qqqq', .*Compare it with the kit"),
        (WORDS.replace("wave", "wärme"), r"Word 5 .*'w\\xe4rme'"),
        (WORDS.replace("wave", "wav"), r"Word 5 .*'wav'.*wave"),
        (WORDS.replace("yellow", "year"), "those of no kit"),
        ("word " * 5000, r"12 words, and these are \d+"),
    ],
)
def test_what_is_wrong_is_said(typed: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_words(typed)


def test_a_passphrase_may_be_these_words(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = WORDS.title().replace(" ", ", ")
    found = find_passphrase({"NIGHTSAFE_PASSWORD": typed})
    assert found == (typed, (WORDS,))
    assert find_passphrase({"NIGHTSAFE_PASSWORD": WORDS}).others == ()


@pytest.mark.parametrize(
    "text",
    [
        "correct horse battery staple",
        "a b c d e f g h i j k l",
        "twelve words of which none at all is meant to be one there",
        " ".join(["wave"] * 13),
        "wave-" * 3_000,
    ],
)
def test_other_passphrases_are_left_alone(text: str) -> None:
    found = find_passphrase({"NIGHTSAFE_PASSWORD": text})
    assert found == (text, ())
    assert hint(text) == ""


def test_a_misread_word_is_named_in_case_no_key_opens() -> None:
    text = WORDS.replace("sausage", "sausige")
    assert find_passphrase({"NIGHTSAFE_PASSWORD": text}) == (text, ())
    assert "'sausige'" in hint(text)
