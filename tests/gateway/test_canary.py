"""The canary comes to the gateway over HTTP, as customers do, and misses one that is down."""

import http.client
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.test_bodies import sha
from tests.support.gateway import PYTHON, ROOT, Gateway, Holder


def canary(gateway: Gateway, **environment: str) -> tuple[int, str]:
    """Send one; return its command's status, and what it said."""
    done = subprocess.run(
        [PYTHON, "manage.py", "canary", "--json"],
        cwd=ROOT,
        env=gateway.env | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def alarms(gateway: Gateway) -> dict[str, str]:
    """Return the alarms about canaries."""
    command = [PYTHON, "manage.py", "alarms", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=gateway.env, capture_output=True, check=False)
    found = json.loads(done.stdout)["alarms"]
    return {one["key"]: one["text"] for one in found if one["key"].startswith("canary")}


@pytest.fixture
def yes_man() -> Iterator[str]:
    """The address of a web process that says 200 to everything, and keeps nothing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_DELETE = do_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_gateway_that_is_down_alarms_until_it_is_back(gateway: Gateway) -> None:
    for _ in range(2):  # the second one reads what the first one left
        status, said = canary(gateway)
        assert status == 0, said
    assert [one["region"] for one in json.loads(said)["regions"]] == ["a", "b"]
    assert alarms(gateway) == {}
    gateway.stop()
    try:
        status, said = canary(gateway)
        assert status == 1
        assert "does not answer as it should: ConnectionRefusedError" in said
        found = alarms(gateway)
        assert set(found) == {"canary:a", "canary:b"}
        assert all(f"127.0.0.1:{gateway.port} does not answer" in text for text in found.values())
    finally:
        gateway.start()
    assert canary(gateway)[0] == 0
    assert alarms(gateway) == {}


def test_a_web_process_that_only_says_yes_alarms(gateway: Gateway, yes_man: str) -> None:
    status, said = canary(gateway, NIGHTSAFE_CANARY_URL=yes_man)
    assert status == 1
    assert "came back changed" in said
    assert set(alarms(gateway)) == {"canary:a", "canary:b"}
    assert canary(gateway)[0] == 0


@pytest.fixture
def busy_front(gateway: Gateway) -> Iterator[tuple[str, list[int]]]:
    """The address of a front that answers 503 as often as its list says, and then hands on."""
    left = [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if left[0]:
                left[0] -= 1
                self._answer(503, b"The service is busy.", {"Retry-After": "0"})
                return
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
            connection.request(self.command, self.path, body or None, dict(self.headers))
            with connection.getresponse() as answer:
                self._answer(answer.status, answer.read(), {})
            connection.close()

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", left
        server.shutdown()


def test_a_busy_service_is_asked_again_and_a_service_always_busy_alarms(
    gateway: Gateway, busy_front: tuple[str, list[int]]
) -> None:
    address, left = busy_front
    left[0] = 3
    status, said = canary(gateway, NIGHTSAFE_CANARY_URL=address)
    assert (status, left[0]) == (0, 0), said
    left[0] = 1000
    status, said = canary(gateway, NIGHTSAFE_CANARY_URL=address)
    assert status == 1
    assert "answered 503: The service is busy." in said
    assert left[0] == 1000 - 2 * 4  # the first request of each region, four times
    left[0] = 0
    assert canary(gateway, NIGHTSAFE_CANARY_URL=address)[0] == 0


def test_without_an_address_it_goes_by_functions(gateway: Gateway) -> None:
    gateway.stop()
    try:
        status, said = canary(gateway, NIGHTSAFE_CANARY_URL="")
        assert status == 0, said
    finally:
        gateway.start()


def test_nobody_else_chooses_a_region(holder: Holder) -> None:
    content = os.urandom(1000)
    name = f"data/{sha(content)}"
    chosen: dict[str, Any] = {"Nightsafe-Region": "b"}
    assert holder.request("POST", name, content, **chosen)[0] == 403
    assert holder.request("GET", "data/")[1] == b"[]"
    assert holder.request("POST", name, content)[0] == 200
    assert holder.request("GET", name, **chosen)[0] == 403
    assert holder.request("GET", name) == (200, content)
