"""Reading by the quick way: exactly the span that was asked for, or it is left to the other."""

import pytest

from storage.stores.s3.connection import Connection, Connections
from storage.stores.s3.get import GetClient
from tests.unit.storage.stores.s3.test_head import KEY, answer, region_at, serving

CONTENT = b"0123456789"
PART = ["HTTP/1.1 206 Partial Content", "Content-Length: 4", "Content-Range: bytes 3-6/10"]


def whole(*more: str) -> bytes:
    return answer("HTTP/1.1 200 OK", "Content-Length: 10", *more) + CONTENT


def reads_at(endpoint: str) -> GetClient:
    region = region_at(endpoint)
    return GetClient(region, Connections(region))


def kept(reads: GetClient) -> list[Connection]:
    return reads.connections.kept.idle


def read(reads: GetClient, start: int = 0, length: int | None = None) -> bytes | None:
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


def test_one_after_the_other_over_one_connection() -> None:
    with serving(whole(), answer(*PART) + b"3456", whole()) as (endpoint, asked):
        reads = reads_at(endpoint)
        assert [read(reads), read(reads, 3, 4), read(reads)] == [CONTENT, b"3456", CONTENT]
        assert len(kept(reads)) == 1
        reads.connections.close()
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
def test_anything_else_is_for_the_general_client(
    given: bytes, start: int, length: int | None
) -> None:
    with serving(given) as (endpoint, _):
        reads = reads_at(endpoint)
        assert read(reads, start, length) is None
        assert kept(reads) == []


def test_a_connection_that_breaks_gives_what_came() -> None:
    with serving(whole()[:-3]) as (endpoint, _):
        reads = reads_at(endpoint)
        assert read(reads) == CONTENT[:-3]
        assert kept(reads) == []


def test_what_was_not_read_to_its_end_is_not_kept() -> None:
    content = CONTENT * 10_000
    head = answer("HTTP/1.1 200 OK", f"Content-Length: {len(content)}")
    with serving(head + content) as (endpoint, _):
        reads = reads_at(endpoint)
        opened = reads.open(KEY, 0, None)
        assert opened is not None
        assert opened[0].read(4) == content[:4]
        opened[0].close()
        assert kept(reads) == []


def test_what_follows_the_body_is_never_given() -> None:
    with serving(whole() + b"more") as (endpoint, _):
        reads = reads_at(endpoint)
        assert read(reads) == CONTENT
        assert kept(reads) == []  # nobody knows what a store that says more means


@pytest.mark.parametrize("size", [1, 3, 10, 64])
def test_into_memory_that_is_there(size: int) -> None:
    with serving(whole()) as (endpoint, _):
        reads = reads_at(endpoint)
        opened = reads.open(KEY, 0, None)
        assert opened is not None
        room, content = memoryview(bytearray(size)), b""
        while count := opened[0].readinto(room):
            content += room[:count]
        opened[0].close()
        opened[0].close()  # which keeps the connection once
        assert (content, len(kept(reads))) == (CONTENT, 1)
        reads.connections.close()


def test_another_takes_the_place_of_a_kept_connection_that_has_gone() -> None:
    with serving(whole(), b"", whole()) as (endpoint, asked):
        reads = reads_at(endpoint)
        assert [read(reads), read(reads)] == [CONTENT, CONTENT]
        reads.connections.close()
    assert len(asked) == 3
