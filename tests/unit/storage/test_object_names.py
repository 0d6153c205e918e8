"""Names and store keys: one permitted form each."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.object_names import (
    CONFIG,
    InvalidNameError,
    ObjectName,
    ObjectType,
    StoreKey,
    parse_name,
    parse_store_key,
    parse_type,
)

hex64 = st.text("0123456789abcdef", min_size=64, max_size=64)
listable = st.sampled_from([kind for kind in ObjectType if kind is not ObjectType.CONFIG])


@given(kind=listable, name=hex64)
def test_good_names_are_taken(kind: ObjectType, name: str) -> None:
    parsed = parse_name(kind.value, name)
    assert (parsed.type, parsed.name, parsed.expected_sha256) == (kind, name, name)


@given(name=st.text(max_size=70))
def test_other_names_are_not(name: str) -> None:
    if len(name) == 64 and set(name) <= set("0123456789abcdef"):
        return
    with pytest.raises(InvalidNameError):
        parse_name("data", name)


@given(kind=st.text(max_size=12))
def test_other_types_are_not(kind: str) -> None:
    if kind in set(ObjectType) - {ObjectType.CONFIG}:
        return
    with pytest.raises(InvalidNameError):
        parse_type(kind)


@given(kind=listable, name=hex64, attempt=st.uuids())
def test_store_keys_round_trip(kind: ObjectType, name: str, attempt: UUID) -> None:
    key = StoreKey("abcdefghij234567abcd", ObjectName(kind, name), attempt.hex)
    assert parse_store_key(str(key)) == key


def test_the_store_key_of_a_config() -> None:
    key = StoreKey("abcdefghij234567abcd", CONFIG, "0" * 32)
    assert parse_store_key(str(key)) == key
    assert CONFIG.expected_sha256 is None


@given(text=st.text(max_size=200))
def test_anything_else_is_no_store_key(text: str) -> None:
    with pytest.raises(InvalidNameError):
        parse_store_key(text)
