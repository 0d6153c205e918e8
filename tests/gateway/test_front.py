"""What stands in front of site and gateway: who gets a thread, who gets which answer."""

import os
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from backup_service.embedded.ports import any_port
from backup_service.front.intake import Intake, Progress, RefusedRequestError
from backup_service.front.limits import GATEWAY, SITE
from tests.gateway.attackers import get, nobody, post
from tests.gateway.test_bodies import answer, sha
from tests.support.gateway import Gateway, Holder, start_site

FORM = "Content-Type: application/x-www-form-urlencoded"
LOGIN = "/accounts/login/"


@pytest.fixture(scope="module")
def site(gateway: Gateway) -> Iterator[int]:
    with start_site(gateway) as port:
        yield port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def ended(client: socket.socket) -> bool:
    """Whether the other side has ended the connection, once it has said everything."""
    return client.recv(65536) == b""


def sends_until_it_ends(client: socket.socket) -> int:
    """How many bytes may be sent before the other side has had enough."""
    sent = 0
    try:
        while True:
            sent += client.send(bytes(65536))
    except OSError:
        return sent


def test_a_request_in_any_pieces_is_the_same_request() -> None:
    """Cut at random places: the result is the one of the whole."""
    head = post(LOGIN, 11, FORM)
    whole = head + b"hello=world"
    for limits, end in ((SITE, len(whole)), (GATEWAY, len(head))):
        for cut in range(len(whole)):
            intake = Intake(limits)
            pieces = (whole[:cut], whole[cut:])
            seen = [intake.feed(piece) for piece in pieces if piece]
            assert seen[-1] is Progress.WHOLE
            assert (seen[0] is Progress.WHOLE) == (cut >= end or cut == 0)
            assert intake.take() == whole
            assert intake.progress is Progress.NOTHING


@pytest.mark.parametrize(
    ("bytes_", "status"),
    [
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 40_000, 431),
        (post(LOGIN, 1 << 21), 413),
        (post(LOGIN, 7).replace(b"Content-Length: 7", b"transfer-encoding: chunked"), 411),
    ],
)
def test_what_is_refused_without_a_thread(site: int, bytes_: bytes, status: int) -> None:
    with pytest.raises(RefusedRequestError) as refused:
        Intake(SITE).feed(bytes_)
    assert refused.value.status == status
    with connect(site) as client:
        client.sendall(bytes_)
        assert f" {status} ".encode() in answer(client)
        assert ended(client)


def test_a_form_that_takes_its_time_is_taken(site: int) -> None:
    """As over a very slow line, if it is not for ever."""
    body = b"login=nobody&password=wrong"
    with connect(site) as client:
        for byte in post(LOGIN, len(body), FORM) + body:
            client.send(bytes([byte]))
            time.sleep(0.005)
        assert b" 403 " in answer(client)  # whole, but without the token of a page


def test_a_head_that_never_ends_is_given_up_with_a_reason(site: int) -> None:
    with connect(site) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        begun = time.monotonic()
        assert b" 408 " in answer(client)
        assert time.monotonic() - begun >= SITE.head_seconds - 1
        assert ended(client)


def test_who_asks_before_sending_is_told_to_send(site: int) -> None:
    with connect(site) as client:
        client.sendall(post(LOGIN, 3, FORM, "Expect: 100-continue"))
        assert client.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sendall(b"a=b")
        said = b""
        while b" 403 " not in said:
            piece = client.recv(65536)
            assert piece
            said += piece


def test_requests_behind_one_another_are_all_answered(site: int) -> None:
    count = 5
    with connect(site) as client:
        client.sendall(get("/healthz") * count + get("/healthz")[:20])
        said = b""
        while said.count(b'"database"') < count:
            said += client.recv(65536)
        client.sendall(get("/healthz")[20:])
        assert b'"database"' in answer(client)


def test_a_kept_connection_outlives_a_proxy_s(site: int) -> None:
    """A proxy that keeps connections for a minute must not send into a closing one."""
    with connect(site) as client:
        client.sendall(get("/healthz"))
        answer(client)
        time.sleep(3)
        client.sendall(get("/healthz"))
        assert b'"database"' in answer(client)


def test_forms_in_many_parts_are_refused(site: int) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n'
    for path in (LOGIN, "/accounts/signup/", "/accounts/password/reset/", "/"):
        with connect(site) as client:
            kind = "Content-Type: multipart/form-data; boundary=x"
            client.sendall(post(path, len(part), kind) + part)
            assert b" 415 " in answer(client)


def test_the_refusal_of_an_unknown_upload_comes_at_once(gateway: Gateway) -> None:
    """Before its body, of which a little is read so that the refusal arrives."""
    with connect(gateway.port) as client:
        client.sendall(post(f"/restic/nowhere/data/{'a' * 64}", 10**9, nobody()))
        said = answer(client)
        assert b" 401 " in said
        assert b"connection: close" in said.lower()
        assert sends_until_it_ends(client) < 8 << 20  # what is read, and what buffers hold


def test_a_page_that_nobody_reads_costs_no_thread(site: int) -> None:
    """More clients than the site has threads, who never take their pages."""
    clients = []
    try:
        for _ in range(24):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", site))
            client.sendall(get("/static/nightsafe/site.css") * 30)
            clients.append(client)
        with connect(site) as other:
            other.settimeout(10)
            other.sendall(get("/healthz"))
            assert b'"database"' in answer(other)
    finally:
        for client in clients:
            client.close()


def test_a_slow_reader_gets_everything(gateway: Gateway, holder: Holder) -> None:
    content = os.urandom(3_000_000)
    assert holder.request("POST", f"data/{sha(content)}", content)[0] == 200
    path = f"/restic/{holder.vault}/data/{sha(content)}"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", gateway.port))
        client.sendall(get(path, f"Authorization: {holder.authorization}", "Connection: close"))
        said = b""
        while piece := client.recv(65536):
            said += piece
            time.sleep(0.0005)
    assert said.partition(b"\r\n\r\n")[2] == content


def drip(gateway: Gateway, holder: Holder, content: bytes, rate: int) -> bytes:
    """Upload at a rate (bytes a second) until there is an answer; return it."""
    with connect(gateway.port) as client:
        client.sendall(holder.head_lines(f"data/{sha(content)}", len(content)))
        for start in range(0, len(content), rate):
            client.sendall(content[start : start + rate])
            if select.select([client], [], [], 1.0)[0]:
                break
        return answer(client)


@pytest.fixture
def hasty(gateway: Gateway) -> Iterator[Gateway]:
    """The same gateway once more, which judges rates early."""
    environment = {**gateway.env, "NIGHTSAFE_GATEWAY_PATIENCE": "6"}
    running = Gateway(gateway.data_dir, any_port(), environment)
    running.start()
    yield running
    running.stop()


def test_slow_lines_are_honest_from_a_rate_on(hasty: Gateway, holder: Holder) -> None:
    """Beyond the time after which the rate is judged."""
    honest, hopeless = os.urandom(9 * 6000), os.urandom(100_000)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(drip, hasty, holder, honest, 6000)
        slower = pool.submit(drip, hasty, holder, hopeless, 500)
        assert b" 200 " in slow.result()
        assert b" 408 " in slower.result()
    assert holder.request("GET", f"data/{sha(honest)}") == (200, honest)
