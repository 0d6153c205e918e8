"""Forty sockets hold whatever they can, one way after the other, and nobody else waits.

Measured for another customer: a page, an upload, its restore, and the beginning of a backup.
"""

import hashlib
import http.client
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.gateway.attackers import Attack, Way, get, nobody, post, seconds
from tests.support.gateway import Gateway, Holder, start_gateway, start_site

PATIENCE = 20.0  # seconds after which a customer calls it an outage
ROUNDS = 4
FORM = "Content-Type: application/x-www-form-urlencoded"
LARGE = 24 << 20  # bytes; more than the buffers of both ends hold


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as the service starts it, which none of the other tests needs alive."""
    running = start_gateway(tmp_path_factory.mktemp("held"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def site(gateway: Gateway) -> Iterator[int]:
    """The port of the site beside it."""
    with start_site(gateway) as port:
        yield port


@pytest.fixture(scope="module")
def mallory(gateway: Gateway) -> Holder:
    """Somebody with an account, a vault, and bad intentions."""
    return gateway.vault(gateway.customer("mallory"))


@pytest.fixture(scope="module")
def victim(gateway: Gateway) -> Holder:
    """A customer who only wants to go on."""
    return gateway.vault(gateway.customer("victim"))


@pytest.fixture(scope="module")
def large(mallory: Holder) -> str:
    """The address of a large object of Mallory's."""
    content = os.urandom(LARGE)
    name = f"data/{hashlib.sha256(content).hexdigest()}"
    assert mallory.request("POST", name, content)[0] == 200
    return f"/restic/{mallory.vault}/{name}"


def ways_of_anybody(site: int, gateway: Gateway) -> list[Way]:
    """What wants no account."""
    door = gateway.port
    endless = b"X-Endless: " + b"x" * 4000 + b"\r\n"
    login, upload = "/accounts/login/", f"/restic/nowhere/data/{'a' * 64}"
    boundary = "Content-Type: multipart/form-data; boundary=x"
    found = [
        Way("the site, silence", site),
        Way("the site, slow headers", site, lambda: b"GET / HTTP/1.1\r\nA: ", b"a"),
        Way("the site, endless headers", site, lambda: b"GET / HTTP/1.1\r\n", endless),
        Way("the site, a slow form", site, lambda: post(login, 5000, FORM), b"a"),
        Way("the site, a form that stops", site, lambda: post(login, 900_000, FORM) + b"a=b"),
        Way("the site, slow chunks", site, lambda: _chunked(post(login, 7)), b"1\r\na\r\n"),
        Way(
            "the site, many parts", site, lambda: post(login, 900_000, boundary) + b"--x\r\n", b"a"
        ),
        Way(
            "the site, nothing is read",
            site,
            lambda: get("/static/nightsafe/site.css") * 200,
            reads=False,
        ),
        Way("the site, kept alive", site, lambda: get("/accounts/login/"), comes_again=False),
        Way("the site, half a second request", site, lambda: get("/healthz") + b"GET / HT", b"x"),
        Way("the site, ends left open", site, lambda: get("/healthz", "Connection: close"), b"x"),
        Way("the gateway, silence", door),
        Way("the gateway, slow headers", door, lambda: b"GET / HTTP/1.1\r\nA: ", b"a"),
        Way("the gateway, endless headers", door, lambda: b"GET / HTTP/1.1\r\n", endless),
        Way("the gateway, a refused slow body", door, lambda: post(upload, 9**9, nobody()), b"a"),
        Way(
            "the gateway, refused chunks",
            door,
            lambda: _chunked(post(upload, 7, nobody())),
            b"1\r\na\r\n",
        ),
        Way(
            "the gateway, a refused fast body",
            door,
            lambda: post(upload, 10**12, nobody()),
            bytes(200_000),
        ),
        Way("the gateway, a body for nobody", door, lambda: post("/nowhere", 10**12), b"a"),
    ]
    return found


def ways_of_a_customer(gateway: Gateway, mallory: Holder, large: str) -> list[Way]:
    """What wants an account."""
    door, key = gateway.port, f"Authorization: {mallory.authorization}"
    vault, calls = f"/restic/{mallory.vault}", f"/api/v1/vaults/{mallory.vault}"

    def upload(kind: str, length: int) -> bytes:
        return post(f"{vault}/{kind}/{os.urandom(32).hex()}", length, key)

    return [
        Way("an account, slow uploads", door, lambda: upload("data", 10**6), b"a"),
        Way("an account, uploads that stop", door, lambda: upload("data", 10**6) + b"a"),
        Way("an account, slow locks", door, lambda: upload("locks", 300), b"a"),
        Way("an account, slow refused uploads", door, lambda: upload("keys", 10**6), b"a"),
        Way("an account, slow calls", door, lambda: post(f"{calls}/finish", 10**6, key), b" "),
        Way("an account, nothing is read", door, lambda: get(large, key), reads=False),
        Way(
            "an account, ranges that are not read",
            door,
            lambda: get(large, key, "Range: bytes=1-"),
            reads=False,
        ),
        Way(
            "an account, quick uploads without end",
            door,
            lambda: upload("data", 500_000) + bytes(500_000),
        ),
        Way("an account, lists without end", door, lambda: get(f"{vault}/data/", key) * 5),
    ]


def _chunked(head: bytes) -> bytes:
    return head.replace(b"Content-Length: 7", b"Transfer-Encoding: chunked")


def look_at_a_page(site: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", site, timeout=PATIENCE)) as browser:
        browser.request("GET", "/accounts/login/")
        with browser.getresponse() as answer:
            assert answer.status == 200
            assert b"</html>" in answer.read()


def upload_and_restore(victim: Holder, times: dict[str, list[float]]) -> None:
    content = os.urandom(300_000)
    path = f"data/{hashlib.sha256(content).hexdigest()}"

    def answer(method: str, body: bytes | None, expected: bytes) -> None:
        assert victim.request(method, path, body, patience=PATIENCE) == (200, expected)

    times["upload"].append(seconds(lambda: answer("POST", content, b"")))
    times["restore"].append(seconds(lambda: answer("GET", None, content)))
    times["begin"].append(seconds(lambda: victim.call("begin", {})))


@pytest.mark.timeout(600)
def test_nobody_is_held_up(
    site: int, gateway: Gateway, mallory: Holder, victim: Holder, large: str
) -> None:
    ways = ways_of_anybody(site, gateway) + ways_of_a_customer(gateway, mallory, large)
    attacks = [(way.name, [Attack(way)]) for way in ways]
    attacks.append(("all of them at once", [Attack(way, count=10) for way in ways]))
    failed = []
    print()
    for name, at_once in attacks:
        times: dict[str, list[float]] = {"page": [], "upload": [], "restore": [], "begin": []}
        with ExitStack() as stack:
            try:
                for attack in at_once:
                    stack.enter_context(attack)
                for _ in range(ROUNDS):
                    times["page"].append(seconds(lambda: look_at_a_page(site)))
                    upload_and_restore(victim, times)
            except (OSError, AssertionError) as error:
                failed.append(f"{name}: {error!r}"[:300])
        worst = ", ".join(f"{what} {max(all_of, default=99):.2f}" for what, all_of in times.items())
        opened = sum(attack.opened for attack in at_once)
        print(f"{name:40} {opened:4} sockets, worst seconds: {worst}")
    assert not failed, "\n".join(failed)
    assert gateway.process.poll() is None
