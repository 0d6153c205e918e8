"""Writing by the quick way: the body goes out when it may, and every refusal has its meaning."""

import io
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)

from storage.body import HashedBody, HashMismatchError
from storage.stores.s3 import put as s3_put
from storage.stores.s3.client import code_of, status_of
from storage.stores.s3.connection import Connections
from storage.stores.s3.put import PutClient
from storage.stores.s3.streams import PIECE, AbandonedError, Upload
from tests.unit.storage.stores.s3.test_head import KEY, answer, region_at

CONTENT = b"0123456789" * 50_000
GO_ON = answer("HTTP/1.1 100 Continue")
DONE = answer("HTTP/1.1 200 OK", "Content-Length: 0")
ERROR = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"
BUSY = answer("HTTP/1.1 503 Busy", f"Content-Length: {len(ERROR)}") + ERROR
PIECES = (
    answer("HTTP/1.1 503 Busy", "Transfer-Encoding: chunked")
    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(ERROR), ERROR)
)  # fmt: skip


@contextmanager
def store(*turns: tuple[bytes, bytes]) -> Iterator[tuple[PutClient, list[bytes]]]:
    """Writes to a store that answers each request's head, then (if it let it come) its body.

    What came is listed, heads and bodies in turn.
    """
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def serve() -> None:
            left = list(turns)
            while left:
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as reader:
                    while left and _turn(connection, reader, *left[0], came):
                        del left[0]
                    del left[:1]

        thread = threading.Thread(target=serve)
        thread.start()
        region = region_at(f"http://127.0.0.1:{server.getsockname()[1]}")
        region = replace(region, read_timeout=2.0)
        connections = Connections(region)
        try:
            yield PutClient(region, connections), came
        finally:
            connections.close()
            thread.join(20)


def _turn(
    connection: socket.socket,
    reader: io.BufferedReader,
    to_head: bytes,
    to_body: bytes,
    came: list[bytes],
) -> bool:
    """Serve one request; whether the connection goes on."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline()
        if not line:
            return False
        head += line
    came.append(head)
    connection.sendall(to_head)
    if b"HTTP/1.1 100" in to_head or not to_head:
        announced = re.search(rb"Content-Length: (\d+)", head)
        came.append(reader.read(int(announced[1]) if announced else 0))
        connection.sendall(to_body)
    return to_body == DONE


def put(writes: PutClient, content: bytes = CONTENT, size: int | None = None) -> bool:
    upload = Upload(io.BytesIO(content), len(CONTENT) if size is None else size)
    return writes.put(KEY, upload, size=len(upload), checksum="sum=")


def test_one_after_the_other_over_one_connection() -> None:
    with store(*[(GO_ON, DONE)] * 3) as (writes, came):
        assert [put(writes) for _ in range(3)] == [True] * 3
        assert len(writes.connections.kept.idle) == 1
    assert came[1::2] == [CONTENT] * 3
    head = came[0]
    assert head.startswith(f"PUT /bucket/{KEY}?".encode())
    for line in (b"Content-Length: 500000", b"If-None-Match: *", b"x-amz-checksum-sha256: sum="):
        assert b"\r\n" + line + b"\r\n" in head
    # Only what is signed binds the store.
    assert b"SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-c" in head


@pytest.mark.parametrize("refusal", [BUSY, PIECES])
def test_a_refusal_before_the_body_leaves_it_for_another_region(refusal: bytes) -> None:
    upload = Upload(io.BytesIO(CONTENT), len(CONTENT))
    with store((refusal, b"")) as (writes, came):
        with pytest.raises(ClientError) as refused:
            writes.put(KEY, upload, size=len(CONTENT), checksum="sum=")
        assert writes.connections.kept.idle == []
    assert (status_of(refused.value), code_of(refused.value)) == (503, "SlowDown")
    assert upload.is_untouched
    assert len(came) == 1


def test_a_refusal_after_the_body() -> None:
    with store((GO_ON, BUSY)) as (writes, came), pytest.raises(ClientError) as refused:
        put(writes)
    assert status_of(refused.value) == 503
    assert came[1] == CONTENT


def test_what_another_host_may_take_is_for_the_general_client() -> None:
    with store((answer("HTTP/1.1 307 Moved", "Content-Length: 0"), b"")) as (writes, _):
        assert not put(writes)


def test_a_store_that_never_says_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_put, "PATIENCE", 0.05)
    with store((b"", GO_ON + DONE)) as (writes, came):
        assert put(writes)
    assert came[1] == CONTENT


def test_an_old_store_is_understood_and_its_connection_not_kept() -> None:
    old = answer("HTTP/1.0 200 OK", "Content-Length: 0")
    with store((GO_ON, old)) as (writes, _):
        assert put(writes)
        assert writes.connections.kept.idle == []


@pytest.mark.parametrize("nothing", [b"what?\r\n\r\n", b"HTTP/1.1 200", b""])
def test_no_answer_is_an_error(nothing: bytes) -> None:
    with store((GO_ON, nothing)) as (writes, _), pytest.raises(ConnectionClosedError):
        put(writes)


def test_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_put, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        region = region_at(f"http://127.0.0.1:{server.getsockname()[1]}")
        region = replace(region, read_timeout=0.2)
        with pytest.raises(ReadTimeoutError):
            put(PutClient(region, Connections(region)))


def test_another_takes_the_place_of_a_kept_connection_that_has_gone() -> None:
    closing = answer("HTTP/1.1 200 OK", "Content-Length: 0", "X-Then: hangs up")
    with store((GO_ON, closing), (GO_ON, DONE)) as (writes, came):
        assert put(writes)
        (kept,) = writes.connections.kept.idle
        while not kept.has_ended():
            time.sleep(0.01)
        assert put(writes)
        assert kept not in writes.connections.kept.idle
    assert len(came) == 4


def test_nobody_there_is_for_the_general_client_to_tell() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        region = region_at(f"http://127.0.0.1:{server.getsockname()[1]}")
    assert not put(PutClient(region, Connections(region)))


@pytest.mark.parametrize(
    ("content", "size"), [(CONTENT[:-1], len(CONTENT)), (CONTENT + b"?", len(CONTENT)), (b"?", 0)]
)
def test_a_body_of_another_length_is_never_whole_for_the_store(content: bytes, size: int) -> None:
    with store((GO_ON, b"")) as (writes, came):
        with pytest.raises(AbandonedError):
            put(writes, content, size)
        if not size:  # not even begun
            socket.create_connection(_place(writes)).close()
    assert all(len(piece) < len(CONTENT) for piece in came)


def test_wrong_bytes_are_never_whole_for_the_store() -> None:
    upload = Upload(
        HashedBody(io.BytesIO(CONTENT), size=len(CONTENT), sha256="ab" * 32), len(CONTENT)
    )
    with store((GO_ON, b"")) as (writes, came), pytest.raises(AbandonedError):
        writes.put(KEY, upload, size=len(CONTENT), checksum="sum=")
    assert isinstance(upload.failure, HashMismatchError)
    assert len(came[1]) < len(CONTENT)


def test_a_large_body_is_never_in_memory_as_a_whole() -> None:
    asked: list[int] = []

    class Source(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or 0)
            return super().read(size)

    content = bytes(3 * PIECE)
    upload = Upload(Source(content), len(content))
    with store((GO_ON, DONE)) as (writes, _):
        assert writes.put(KEY, upload, size=len(content), checksum="sum=")
    assert max(asked) <= PIECE
    assert min(asked) > 0


def _place(writes: PutClient) -> tuple[str, int]:
    host, _, port = writes.endpoint.removeprefix("http://").partition(":")
    return host, int(port)
