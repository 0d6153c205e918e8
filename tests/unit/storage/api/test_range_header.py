"""The Range header, as RFC 9110 has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.api.range_header import parse_range
from storage.downloads.read import Span
from storage.errors import RangeError
from tests.unit.storage.conftest import Caller, sha

CONTENT = bytes(range(100))
WHOLE = None


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, WHOLE),
        ("", WHOLE),
        ("bytes=0-", Span(0, 100)),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=10-19", Span(10, 10)),
        ("bytes=99-", Span(99, 1)),
        ("bytes=90-1000", Span(90, 10)),
        (f"bytes=90-{'9' * 400}", Span(90, 10)),
        ("Bytes=1-2", Span(1, 2)),
        (" bytes=1-2\t", Span(1, 2)),
        ("bytes=,1-2 ,", Span(1, 2)),
        ("bytes=-1", Span(99, 1)),
        ("bytes=-100", Span(0, 100)),
        (f"bytes=-{'9' * 400}", Span(0, 100)),
        # Units and ranges that are none count for nothing.
        ("lines=0-1", WHOLE),
        ("bytes", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=,", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=5-4", WHOLE),
        ("bytes=200-100", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=1 - 2", WHOLE),
        ("bytes= 1-2x", WHOLE),
        ("bytes=--1", WHOLE),
        ("bytes=+1-2", WHOLE),
        ("bytes=1-2-3", WHOLE),
        ("bytes=٣-٤", WHOLE),
        ("bytes:1-2", WHOLE),
        ("1-2", WHOLE),
        # Several ranges may be answered with all of it.
        ("bytes=0-1,5-6", WHOLE),
    ],
)
def test_what_a_header_asks_for(header: str | None, span: Span | None) -> None:
    assert parse_range(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", f"bytes={10**30}-"])
def test_valid_ranges_outside_the_object(header: str) -> None:
    with pytest.raises(RangeError) as refused:
        parse_range(header, 100)
    assert refused.value.size == 100


def test_an_empty_object() -> None:
    with pytest.raises(RangeError):
        parse_range("bytes=0-", 0)
    assert parse_range("bytes=-5", 0) is WHOLE
    assert parse_range("bytes=5-4", 0) is WHOLE


@given(st.text(st.sampled_from("bytes=,- 0123456789x"), max_size=25), st.integers(0, 50))
def test_whatever_is_asked_the_span_lies_inside(header: str, size: int) -> None:
    try:
        span = parse_range(header, size)
    except RangeError:
        return
    if span is not None:
        assert 0 <= span.start < span.start + span.length <= size


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("header", "status", "content", "said"),
    [
        ("bytes=-10", 206, CONTENT[-10:], "bytes 90-99/100"),
        ("bytes=-1000", 206, CONTENT, "bytes 0-99/100"),
        ("bytes=95-", 206, CONTENT[95:], "bytes 95-99/100"),
        ("bytes=5-4", 200, CONTENT, None),
        ("lines=1-2", 200, CONTENT, None),
        ("bytes=0-1,5-6", 200, CONTENT, None),
        ("bytes=100-", 416, None, "bytes */100"),
    ],
)
def test_through_the_gateway(
    backup: Caller, header: str, status: int, content: bytes | None, said: str | None
) -> None:
    backup.put(CONTENT)
    response = backup.get(f"data/{sha(CONTENT)}", headers={"range": header})
    assert response.status_code == status
    assert response.headers.get("Content-Range") == said
    if content is not None:
        assert response.getvalue() == content
        assert response.headers["Content-Length"] == str(len(content))


@pytest.mark.django_db
def test_a_range_under_a_condition_that_cannot_hold(backup: Caller) -> None:
    backup.put(CONTENT)
    asked = {"range": "bytes=0-1", "if-range": '"etag"'}
    response = backup.get(f"data/{sha(CONTENT)}", headers=asked)
    assert (response.status_code, response.getvalue()) == (200, CONTENT)
