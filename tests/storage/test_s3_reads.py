"""Reading by the quick way: exactly the span that was asked for, or it is left to the other."""

import pytest

from storage.regions.s3_reads import Reads
from tests.storage.test_heads import KEY, answer, region_at, serving

CONTENT = b"0123456789"
PART = ["HTTP/1.1 206 Partial Content", "Content-Length: 4", "Content-Range: bytes 3-6/10"]


def whole(*more: str) -> bytes:
    return answer("HTTP/1.1 200 OK", "Content-Length: 10", *more) + CONTENT


def read(reads: Reads, start: int = 0, length: int | None = None) -> bytes | None:
    opened = reads.open(KEY, start, length)
    if opened is None:
        return None
    stream, size = opened
    content = b""
    while piece := stream.read(3):
        content += piece
    stream.close()
    assert size == (10 if length is None else length)
    return content


def test_one_after_the_other_over_one_connection():
    with serving(whole(), answer(*PART) + b"3456", whole()) as (endpoint, asked):
        reads = Reads(region_at(endpoint))
        assert [read(reads), read(reads, 3, 4), read(reads)] == [CONTENT, b"3456", CONTENT]
        assert len(reads.kept.idle) == 1
        reads.close()
    assert [b"\r\nRange: bytes=3-6\r\n" in request for request in asked] == [False, True, False]


@pytest.mark.parametrize(
    ("given", "start", "length"),
    [
        (answer("HTTP/1.1 404 Not Found", "Content-Length: 0"), 0, None),
        (answer("HTTP/1.1 503 Busy", "Content-Length: 0"), 0, None),
        (answer("HTTP/1.1 301 Moved", "Content-Length: 0", "Location: http://x/"), 0, None),
        (answer("HTTP/1.1 206 Partial Content", "Content-Length: 4") + b"3456", 0, None),
        (whole(), 3, 4),  # ranges are not heeded
        (answer(*PART) + b"3456", 4, 4),  # another span
        (answer(*PART[:2]) + b"3456", 3, 4),
        (b"what?\r\n\r\n", 0, None),
        (b"", 0, None),
    ],
)
def test_anything_else_is_for_the_general_client(given, start, length):
    with serving(given) as (endpoint, _):
        reads = Reads(region_at(endpoint))
        assert read(reads, start, length) is None
        assert reads.kept.idle == []


def test_a_connection_that_breaks_gives_what_came():
    with serving(whole()[:-3]) as (endpoint, _):
        reads = Reads(region_at(endpoint))
        assert read(reads) == CONTENT[:-3]
        assert reads.kept.idle == []


def test_what_was_not_read_to_its_end_is_not_kept():
    with serving(whole()) as (endpoint, _):
        reads = Reads(region_at(endpoint))
        opened = reads.open(KEY, 0, None)
        assert opened is not None
        assert opened[0].read(4) == CONTENT[:4]
        opened[0].close()
        assert reads.kept.idle == []


def test_another_takes_the_place_of_a_kept_connection_that_has_gone():
    with serving(whole(), b"", whole()) as (endpoint, asked):
        reads = Reads(region_at(endpoint))
        assert [read(reads), read(reads)] == [CONTENT, CONTENT]
        reads.close()
    assert len(asked) == 3
