"""Bodies of JSON that would hurt a database, or the process that reads them."""

import io
import json

import pytest
from rest_framework.exceptions import ParseError

from accounts.customer_api.parsing import (
    MAX_BYTES,
    MAX_DEPTH,
    BodyTooLargeError,
    StrictJSONParser,
)


def parse(body: bytes) -> object:
    return StrictJSONParser().parse(io.BytesIO(body))


def test_what_is_read() -> None:
    said = {"name": "Ännas “laptop”", "n": [1, 2.5, None, True], "quoted": '\\u0000 is "text"'}
    assert parse(json.dumps(said).encode()) == said | {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b'"a\\u0000b"',
        b'["\\u0000"]',
        b"NaN",
        b"[Infinity]",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"1" * 5000,
    ],
)
def test_what_is_not(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_how_deep(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"

    def nested(depth: int) -> bytes:
        return opening * depth + (b"" if opening == b"[" else b"1") + closing * depth

    assert parse(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 200, 900):
        with pytest.raises(ParseError):
            parse(nested(depth))


def test_too_much() -> None:
    with pytest.raises(BodyTooLargeError):
        parse(b" " * (MAX_BYTES + 1))
    assert parse(b" " * (MAX_BYTES - 1) + b"1") == 1
