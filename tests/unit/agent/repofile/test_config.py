"""The config object and its polynomial."""

import json

import pytest
from nightsafe.chunker.polynomial import is_irreducible, random_polynomial
from nightsafe.errors import DamagedError, UnsupportedError
from nightsafe.repofile.config import ChunkerChoice, Config

CONFIG = {"version": 2, "id": "ab" * 32, "chunker_polynomial": "3da3358b4dc173"}


def decode(**changes: object) -> Config:
    return Config.decode(json.dumps(CONFIG | changes).encode())


def product(a: int, b: int) -> int:
    out = 0
    while b:
        out ^= a * (b & 1)
        a, b = a << 1, b >> 1
    return out


def test_polynomials_that_stock_restic_drew_are_irreducible() -> None:
    assert is_irreducible(0x3DA3358B4DC173)
    assert is_irreducible(0x25B468838DCB75)


def test_a_product_is_not_irreducible() -> None:
    small, large = 0b111, 1 << 51 | 0b1001011
    assert not is_irreducible(product(small, large))
    square = 1 << 26 | 0b11011
    assert not is_irreducible(product(product(square, square), 0b10))


@pytest.mark.parametrize("f", [0, 1, 2, 1 << 53, (1 << 53) + 1, 0x3DA3358B4DC173 >> 1])
def test_not_irreducible_or_not_of_degree_53(f: int) -> None:
    assert not is_irreducible(f)


def test_drawn_polynomials_are_irreducible_and_differ() -> None:
    drawn = {random_polynomial() for _ in range(5)}
    assert len(drawn) == 5
    assert all(map(is_irreducible, drawn))


def test_a_new_config_survives_and_names_its_chunker() -> None:
    config = Config.new()
    assert Config.decode(config.encode()) == config
    assert json.loads(config.encode())["nightsafe_chunker"] == {"name": "gear", "version": 1}
    assert config.version == 2


def test_a_config_of_stock_restic() -> None:
    config = decode()
    assert config.chunker is None
    assert config.polynomial == 0x3DA3358B4DC173
    assert decode(version=1).compresses is False


@pytest.mark.parametrize("version", [0, 3, "2", None])
def test_other_versions_are_for_other_agents(version: object) -> None:
    with pytest.raises(UnsupportedError):
        decode(version=version)


@pytest.mark.parametrize("choice", [{"name": "gear", "version": 2}, {"name": "aes", "version": 1}])
def test_an_unknown_chunker_asks_for_an_update(choice: dict[str, object]) -> None:
    with pytest.raises(UnsupportedError, match="Update the agent"):
        decode(nightsafe_chunker=choice)
    assert decode(nightsafe_chunker={"name": "gear", "version": 1}).chunker == ChunkerChoice()


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "short"},
        {"id": 5},
        {"chunker_polynomial": "10"},
        {"chunker_polynomial": 5},
        {"nightsafe_chunker": "gear"},
        {"nightsafe_chunker": {"name": "gear"}},
    ],
)
def test_nonsense_is_damage(changes: dict[str, object]) -> None:
    with pytest.raises(DamagedError):
        decode(**changes)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff"])
def test_no_config_at_all(text: bytes) -> None:
    with pytest.raises(DamagedError):
        Config.decode(text)
