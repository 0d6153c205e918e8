"""The quick look at a store: yes only to exactly the answer that was hoped for."""

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from storage.object_names import ObjectName, ObjectType, StoreKey
from storage.stores.base import Expected
from storage.stores.configuration import S3Region
from storage.stores.s3.connection import LONGEST, Connections
from storage.stores.s3.head import AT_ONCE, HeadClient

KEY = StoreKey("abcdefghij234567abcd", ObjectName(ObjectType.DATA, "ab" * 32), "0" * 32)
SHA = hashlib.sha256(b"what was meant").hexdigest()
SUM = base64.b64encode(bytes.fromhex(SHA)).decode()
GOOD = [
    "HTTP/1.1 200 OK",
    "Content-Length: 77",
    f"X-Amz-Checksum-Sha256: {SUM}",
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
def store(*answers: bytes) -> Iterator[tuple[HeadClient, list[bytes]]]:
    """A store that gives these answers, and Heads that ask it."""
    with serving(*answers) as (endpoint, asked):
        connections = Connections(region_at(endpoint))
        try:
            yield HeadClient(region_at(endpoint), connections), asked
        finally:
            connections.close()


def expected(number: int = 0) -> Expected:
    """What should be there: 77 bytes, or so many more."""
    return Expected(KEY, 77 + number, SHA)


def shows(heads: HeadClient) -> bool:
    return heads.show([expected()]) == [True]


def test_exactly_what_was_meant_over_one_connection() -> None:
    with store(*[answer(*GOOD)] * 3, answer(*GOOD[:3])) as (heads, asked):
        assert [shows(heads) for _ in range(4)] == [True] * 4
        assert len(heads.connections.kept.idle) == 1
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
def test_of_anything_else_it_is_not_sure(given: bytes) -> None:
    with store(given) as (heads, _):
        assert not shows(heads)


def test_a_connection_that_ended_is_not_kept() -> None:
    with store(answer(*GOOD, "Connection: close"), answer(*GOOD)) as (heads, asked):
        assert shows(heads)
        assert heads.connections.kept.idle == []
        assert shows(heads)
    assert len(asked) == 2


def test_another_takes_the_place_of_a_kept_connection_that_has_gone() -> None:
    with store(answer(*GOOD), b"", answer(*GOOD)) as (heads, asked):
        assert shows(heads)
        gone = heads.connections.kept.idle[0]
        assert shows(heads)
        assert gone not in heads.connections.kept.idle
    assert len(asked) == 3


def test_a_store_that_hangs_is_waited_for_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        region = replace(region_at(endpoint), read_timeout=0.2)
        connections = Connections(region)
        connections.kept.idle = [connections.connect(endpoint) for _ in range(5)]
        assert not shows(HeadClient(region, connections))
        assert len(connections.kept.idle) == 4
        connections.close()


def test_nobody_there_means_not_sure() -> None:
    with store(answer(*GOOD)) as (heads, _):
        assert shows(heads)
        endpoint = heads.signer.base
    assert not shows(HeadClient(region_at(endpoint), Connections(region_at(endpoint))))


class Crowd:
    """A store that answers on any number of connections, each question by what `says` tells."""

    def __init__(self, says: Callable[[int], bytes | None]) -> None:
        self.connections = self.asked = self.most = 0
        self._says = says
        self._open = 0
        self._all_came = threading.Event()
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while connection.recv(65536):
                with self._lock:
                    number, self.asked = self.asked, self.asked + 1
                    self._open += 1
                    self.most = max(self.most, self._open)
                    if self._open == AT_ONCE:
                        self._all_came.set()
                self._all_came.wait(20)  # however slowly threads begin here
                time.sleep(0.02)  # for one too many
                with self._lock:
                    self._open -= 1
                says = self._says(number)
                if says is None:
                    time.sleep(20)
                if not says:
                    return
                connection.sendall(says)

    def close(self) -> None:
        self._server.close()


@contextmanager
def crowd(
    says: Callable[[int], bytes | None], *, timeout: float = 20.0
) -> Iterator[tuple[HeadClient, Crowd]]:
    """Heads that ask a store which can answer several questions at once."""
    there = Crowd(says)
    region = replace(region_at(there.endpoint), read_timeout=timeout)
    connections = Connections(region)
    try:
        yield HeadClient(region, connections), there
    finally:
        connections.close()
        there.close()


def test_several_are_asked_at_once_over_connections_that_are_kept() -> None:
    with crowd(lambda _: answer(*GOOD)) as (heads, there):
        assert heads.show([expected()] * 50) == [True] * 50
        assert heads.show([expected()] * 50) == [True] * 50
        assert (there.asked, there.connections, there.most) == (100, AT_ONCE, AT_ONCE)
        assert len(heads.connections.kept.idle) == AT_ONCE


def test_each_answer_is_held_against_its_own_question() -> None:
    wanted = [expected(number % 3) for number in range(30)]
    with crowd(lambda _: answer(*GOOD)) as (heads, _):
        assert heads.show(wanted) == [number % 3 == 0 for number in range(30)]


def test_answers_that_cannot_be_understood_spoil_no_others() -> None:
    """The first comes on a new connection; a later one on one that served before: it may have gone,
    so that question is asked again."""
    with crowd(lambda number: b"what?\r\n\r\n" if number in {0, 20} else answer(*GOOD)) as there:
        assert there[0].show([expected()] * 30).count(False) == 1
        assert there[1].asked == 31


def test_kept_connections_that_all_have_ended_are_made_anew() -> None:
    with crowd(lambda number: b"" if 8 <= number < 16 else answer(*GOOD)) as (heads, there):
        assert heads.show([expected()] * 8) == [True] * 8
        assert heads.show([expected()] * 8) == [True] * 8
        assert (there.asked, there.connections) == (24, 16)


def test_a_store_that_hangs_amid_a_batch_is_waited_for_once() -> None:
    hangs = crowd(lambda number: None if number >= 20 else answer(*GOOD), timeout=0.5)
    with hangs as (heads, there):
        began = time.monotonic()
        found = heads.show([expected()] * 60)
        assert time.monotonic() - began < 5
        assert 20 - AT_ONCE <= found.count(True) <= 20
        assert there.asked <= 20 + AT_ONCE


def test_nothing_is_asked_about_nothing() -> None:
    with crowd(lambda _: answer(*GOOD)) as (heads, there):
        assert heads.show([]) == []
        assert there.connections == 0
