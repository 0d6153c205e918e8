"""Uploads as they really arrive: late, short, cut, endless, refused."""

import hashlib
import os
import re
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from backup_service.embedded.ports import any_port
from tests.support.gateway import Gateway, Holder


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=60)


def answer(client: socket.socket) -> bytes:
    """Return one whole answer: its head, and as much body as the head announces."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(client)
    head, _, body = received.partition(b"\r\n\r\n")
    announced = re.search(rb"content-length: (\d+)", head.lower())
    while announced and len(body) < int(announced[1]):
        body += _more(client)
    return head + b"\r\n\r\n" + body


def _more(client: socket.socket) -> bytes:
    piece = client.recv(65536)
    assert piece, "the connection ended before the answer did"
    return piece


def names(holder: Holder) -> bytes:
    return holder.request("GET", "data/")[1]


@pytest.fixture
def content() -> bytes:
    return os.urandom(400_000)


def test_a_whole_body_is_stored(holder: Holder, content: bytes) -> None:
    assert holder.request("POST", f"data/{sha(content)}", content)[0] == 200
    assert holder.request("GET", f"data/{sha(content)}") == (200, content)


def test_a_body_shorter_than_announced(gateway: Gateway, holder: Holder, content: bytes) -> None:
    with connect(gateway) as client:
        client.sendall(holder.head_lines(f"data/{sha(content)}", len(content)) + content[:-1])
        client.shutdown(socket.SHUT_WR)
        assert b" 400 " in answer(client)
    assert names(holder) == b"[]"


def test_a_connection_cut_in_the_middle(gateway: Gateway, holder: Holder, content: bytes) -> None:
    with connect(gateway) as client:
        client.sendall(holder.head_lines(f"data/{sha(content)}", len(content)) + content[:200_000])
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.3)
    assert names(holder) == b"[]"
    assert holder.request("POST", f"data/{sha(content)}", content)[0] == 200


def test_a_lost_answer_is_made_good_by_the_repeat(
    gateway: Gateway, holder: Holder, content: bytes
) -> None:
    with connect(gateway) as client:
        client.sendall(holder.head_lines(f"data/{sha(content)}", len(content)) + content)
        deadline = time.monotonic() + 20
        while names(holder) == b"[]" and time.monotonic() < deadline:
            time.sleep(0.02)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert holder.request("DELETE", f"data/{sha(content)}")[0] == 403
    assert holder.request("POST", f"data/{sha(content)}", content)[0] == 200


def test_an_absurd_length_is_refused_and_the_connection_ended(
    gateway: Gateway, holder: Holder
) -> None:
    with connect(gateway) as client:
        client.sendall(holder.head_lines(f"data/{'a' * 64}", 10**14) + b"x" * 1000)
        client.shutdown(socket.SHUT_WR)
        assert b" 403 An object of type data has at most " in answer(client)
    assert holder.request("GET", "data/")[0] == 200


def test_an_endless_refused_body_is_not_read_for_ever(gateway: Gateway, holder: Holder) -> None:
    """The refusal comes after at most 64 MiB, whatever the client still wants to send."""
    sent = 0
    with connect(gateway) as client:
        client.sendall(holder.head_lines(f"keys/{'a' * 64}", 10**12))
        try:
            while sent < 300_000_000:
                sent += client.send(b"x" * 65536)
        except OSError:
            pass
    assert sent < 150_000_000


def test_a_refused_body_is_read_so_that_the_reason_arrives(holder: Holder, content: bytes) -> None:
    status, text = holder.request("POST", f"keys/{sha(content)}", content[:60_000])
    assert status in {400, 403}
    assert len(text) > 20


def test_the_connection_lives_on_after_a_refusal(
    gateway: Gateway, holder: Holder, content: bytes
) -> None:
    with connect(gateway) as client:
        client.sendall(holder.head_lines(f"data/{'a' * 64}", len(content)) + content)
        assert b" 400 " in answer(client)
        client.sendall(holder.head_lines(f"data/{sha(content)}", len(content)) + content)
        assert b" 200 " in answer(client)


@pytest.mark.parametrize("sizes", [(10, 20, 0), (3_000, 5_000, 100_000), (0, 0, 7)])
def test_uploads_that_arrive_with_one_another(
    gateway: Gateway, holder: Holder, sizes: tuple[int, int, int]
) -> None:
    """Bodies that come with their heads, and behind each the next request: none is cut wrongly."""
    contents = [os.urandom(size) for size in sizes]
    with connect(gateway) as client:
        client.sendall(
            b"".join(holder.head_lines(f"data/{sha(one)}", len(one)) + one for one in contents)
        )
        answers = b""
        while answers.count(b"HTTP/1.1 200 ") < len(contents):
            answers += _more(client)
    assert answers.count(b"HTTP/1.1 ") == len(contents)
    for one in contents:
        assert holder.request("GET", f"data/{sha(one)}") == (200, one)


def test_chunked_bodies_want_a_length(holder: Holder, content: bytes) -> None:
    status, _ = holder.request("POST", f"data/{sha(content)}", iter([content]))
    assert status == 411
    assert names(holder) == b"[]"


def test_the_refusal_of_a_long_chunked_body_arrives(holder: Holder) -> None:
    """More than the buffers of both sides hold: whoever is not read cannot finish sending."""
    pieces = iter([bytes(1_000_000)] * 30)
    status, text = holder.request("POST", f"data/{'a' * 64}", pieces)
    assert status == 411
    assert b"Content-Length" in text


def test_what_follows_a_refused_chunked_body_is_not_taken_for_a_request(
    gateway: Gateway, holder: Holder, content: bytes
) -> None:
    """Chunks that are none of ours are not parsed, so the connection must not go on."""
    head = holder.head_lines(f"data/{'a' * 64}", 7)
    behind = holder.head_lines(f"data/{sha(content)}", len(content)) + content
    with connect(gateway) as client:
        client.sendall(head.replace(b"Content-Length: 7", b"Transfer-Encoding: chunked"))
        client.sendall(b"7\r\nseven!!\r\n0\r\n\r\n" + behind[:1000])
        assert b" 411 " in answer(client)
        assert client.recv(65536) == b""
    assert names(holder) == b"[]"


def test_encoded_paths_go_nowhere(holder: Holder) -> None:
    for path in [
        f"data/..%2fkeys%2f{'a' * 64}",
        f"data/%2e%2e/{'a' * 64}",
        f"..%2f..%2f{'a' * 64}",
        f"data/{'a' * 64}%00",
        "%2e%2e/%2e%2e/etc/passwd",
    ]:
        assert holder.request("GET", path)[0] in {400, 403, 404}
        assert holder.request("POST", path, b"x")[0] in {400, 403, 404, 405}


@pytest.fixture
def impatient(gateway: Gateway) -> Iterator[Gateway]:
    """Return a gateway of its own that gives up on whoever sends nothing for half a second."""
    other = Gateway(gateway.data_dir, any_port(), {**gateway.env, "NIGHTSAFE_GATEWAY_STALL": "0.5"})
    other.start()
    yield other
    other.stop()


def test_a_slow_body_is_given_up(impatient: Gateway, holder: Holder, content: bytes) -> None:
    with connect(impatient) as client:
        client.sendall(holder.head_lines(f"data/{sha(content)}", len(content)) + b"x")
        begun = time.monotonic()
        assert b" 408 " in answer(client)
        assert time.monotonic() - begun < 10
    assert names(holder) == b"[]"


def test_a_refused_body_that_stalls_does_not_keep_its_place(
    impatient: Gateway, holder: Holder
) -> None:
    """Also of somebody whom nobody knows."""
    stranger = holder.head_lines(f"data/{'a' * 64}", 1_000_000).replace(b"Basic ", b"Basic x")
    chunked = stranger.replace(b"Content-Length: 1000000", b"Transfer-Encoding: chunked")
    assert chunked != stranger
    for head in (stranger, chunked):
        with connect(impatient) as client:
            client.sendall(head + b"f")
            assert b" 401 " in answer(client)
            assert client.recv(65536) == b""
