"""The quick look at a store: yes only to exactly the answer that was hoped for."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from storage.names import ObjectName, ObjectType, StoreKey
from storage.regions.configuration import S3Region
from storage.regions.s3_heads import Heads
from storage.regions.s3_wire import LONGEST, Wires

KEY = StoreKey("abcdefghij234567abcd", ObjectName(ObjectType.DATA, "ab" * 32), "0" * 32)
GOOD = [
    "HTTP/1.1 200 OK",
    "Content-Length: 77",
    "X-Amz-Checksum-Sha256: sum=",
    "x-amz-checksum-type: FULL_OBJECT",
]


def answer(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode()


def region_at(endpoint: str) -> S3Region:
    return S3Region(
        alias="x",
        endpoint=endpoint,
        bucket="bucket",
        access_key="key",
        secret_key="secret",
        public_endpoint=endpoint,
    )


@contextmanager
def serving(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The address of a store that gives these answers; what was asked is listed."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def serve() -> None:
            left = list(answers)
            while left:
                connection, _ = server.accept()
                with connection:
                    while left and (request := connection.recv(65536)):
                        asked.append(request)
                        one = left.pop(0)
                        connection.sendall(one)
                        if b"HTTP/1.1 20" not in one or b"close" in one:
                            break

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            thread.join(20)


@contextmanager
def store(*answers: bytes) -> Iterator[tuple[Heads, list[bytes]]]:
    """A store that gives these answers, and Heads that ask it."""
    with serving(*answers) as (endpoint, asked):
        wires = Wires(region_at(endpoint))
        try:
            yield Heads(region_at(endpoint), wires), asked
        finally:
            wires.close()


def shows(heads: Heads) -> bool:
    return heads.shows(KEY, size=77, checksum="sum=")


def test_exactly_what_was_meant_over_one_connection():
    with store(*[answer(*GOOD)] * 3, answer(*GOOD[:3])) as (heads, asked):
        assert [shows(heads) for _ in range(4)] == [True] * 4
        assert len(heads._wires.kept.idle) == 1
    assert asked[0].startswith(f"HEAD /bucket/{KEY}?".encode())
    assert b"\r\nx-amz-checksum-mode: ENABLED\r\n" in asked[0]


@pytest.mark.parametrize(
    "given",
    [
        answer("HTTP/1.1 200 OK", "Content-Length: 78", *GOOD[2:]),
        answer(*GOOD[:2], "X-Amz-Checksum-Sha256: other=", GOOD[3]),
        answer(*GOOD[:3], "x-amz-checksum-type: COMPOSITE"),
        answer(*GOOD[:2]),
        answer(*GOOD, "Content-Length: 77"),  # twice, which proxies read in different ways
        answer("HTTP/1.1 404 Not Found", *GOOD[1:]),
        answer("HTTP/1.1 301 Moved", *GOOD[1:]),
        answer("HTTP/1.0 200 OK", *GOOD[1:]),
        answer("what?", *GOOD[1:]),
        answer(*GOOD) + b"body",
        answer(*GOOD[:3], "X-Long: " + "x" * LONGEST),
        answer(*GOOD)[:-2],
        b"",
    ],
)
def test_of_anything_else_it_is_not_sure(given):
    with store(given) as (heads, _):
        assert not shows(heads)


def test_a_connection_that_ended_is_not_kept():
    with store(answer(*GOOD, "Connection: close"), answer(*GOOD)) as (heads, asked):
        assert shows(heads)
        assert heads._wires.kept.idle == []
        assert shows(heads)
    assert len(asked) == 2


def test_another_takes_the_place_of_a_kept_connection_that_has_gone():
    with store(answer(*GOOD), b"", answer(*GOOD)) as (heads, asked):
        assert shows(heads)
        gone = heads._wires.kept.idle[0]
        assert shows(heads)
        assert gone not in heads._wires.kept.idle
    assert len(asked) == 3


def test_a_store_that_hangs_is_waited_for_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        region = replace(region_at(endpoint), read_timeout=0.2)
        wires = Wires(region)
        wires.kept.idle = [wires.connect(endpoint) for _ in range(5)]
        assert not shows(Heads(region, wires))
        assert len(wires.kept.idle) == 4
        wires.close()


def test_nobody_there_means_not_sure():
    with store(answer(*GOOD)) as (heads, _):
        assert shows(heads)
        endpoint = heads._signer._base
    assert not shows(Heads(region_at(endpoint), Wires(region_at(endpoint))))
