"""A vault of the service as the agent sees it: answers that make sense, and those that do not."""

import base64
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.service import ServiceBackend, upgraded
from nightsafe.errors import AccessRefusedError

from tests.support.agent.rest_server import running_server

VAULT = "abcdefghij234567abcd"
NAME = "ab" * 32
EMPTY: dict[str, object] = {"complete": True, "since": None, "objects": []}
ANSWER: dict[str, Any] = {
    "epoch": 3,
    "sequence": 7,
    "locks": [],
    "keys": EMPTY,
    "snapshots": {"complete": True, "since": None, "objects": [{"name": NAME, "size": 3}]},
    "index": {"complete": True, "since": None, "objects": [{"name": NAME, "size": 5}]},
    "bodies": [{"type": "snapshots", "name": NAME, "body": base64.b64encode(b"abc").decode()}],
    "wanted": [{"type": "data", "name": "cd" * 32, "size": 1}],
    "direct": {"uploads": False, "objects": 256, "bytes": 1 << 30},
}
Respond = Callable[[str, bytes], tuple[int, bytes]]


class Scripted:
    """A server that answers as a test says; it remembers what it was asked, with headers."""

    def __init__(self) -> None:
        self.respond: Respond = lambda path, body: (200, json.dumps(ANSWER).encode())
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.asked.append((self.command, self.path, dict(self.headers), body))
                status, answer = script.respond(self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST = do_any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    made = Scripted()
    threading.Thread(target=made.server.serve_forever, args=[0.05], daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def remote(scripted: Scripted) -> Iterator[RestBackend]:
    host = scripted.address.removeprefix("http://")
    made = RestBackend(f"http://someone:sesame@{host}/restic/{VAULT}/", patience=0)
    yield made
    made.close()


def service_of(remote: RestBackend) -> ServiceBackend:
    found = upgraded(remote)
    assert isinstance(found, ServiceBackend)
    return found


def test_what_was_told_is_used_once(scripted: Scripted, remote: RestBackend) -> None:
    service = service_of(remote)
    assert (service.epoch, service.lost_packs, service.batching) == (
        3,
        frozenset({"cd" * 32}),
        None,
    )
    assert [entry.name for entry in service.list(ObjectKind.SNAPSHOT)] == [NAME]
    assert service.load(ObjectKind.SNAPSHOT, NAME) == b"abc"
    assert [one[1] for one in scripted.asked] == [f"/api/v1/vaults/{VAULT}/begin"]
    scripted.respond = lambda path, body: (200, b"[]")
    assert list(service.list(ObjectKind.SNAPSHOT)) == []
    assert service.load(ObjectKind.SNAPSHOT, NAME) == b"[]"
    assert len(scripted.asked) == 3


def test_a_second_visit_adds_what_is_new(scripted: Scripted, remote: RestBackend) -> None:
    service = service_of(remote)
    new = {"complete": True, "since": 7, "objects": [{"name": "ef" * 32, "size": 1}]}
    scripted.respond = lambda path, body: (
        200,
        json.dumps(
            {
                **ANSWER,
                "index": new,
                "locks": [{"name": NAME, "body": base64.b64encode(b"lock").decode()}],
            }
        ).encode(),
    )
    assert service.begin(("12" * 32, b"mine")) == [(NAME, b"lock")]
    assert json.loads(scripted.asked[-1][3])["since"] == {"epoch": 3, "sequence": 7}
    assert [entry.name for entry in service.list(ObjectKind.INDEX)] == [NAME, "ef" * 32]


def test_the_store_never_sees_the_credential(scripted: Scripted, remote: RestBackend) -> None:
    """Nor does it matter that it is on the same host as the service."""
    scripted.respond = lambda path, body: (200, b"answer")
    url = scripted.address + "/bucket/key?X-Amz-Signature=abc"
    assert remote.load_direct(url, {}, offset=0, length=None, limit=100) == b"answer"
    with open(__file__, "rb") as file:
        assert remote.send_direct(url, {"x-signed": "1"}, file)
    for _, _, headers, _ in scripted.asked:
        assert "sesame" not in repr(headers)
        assert "Authorization" not in headers
    assert scripted.asked[1][2]["x-signed"] == "1"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "nonsense", ""])
def test_addresses_that_are_none(remote: RestBackend, url: str) -> None:
    assert remote.load_direct(url, {}, offset=0, length=1, limit=1) is None
    with open(__file__, "rb") as file:
        assert not remote.send_direct(url, {}, file)


def test_more_or_less_than_was_asked_for(scripted: Scripted, remote: RestBackend) -> None:
    scripted.respond = lambda path, body: (200, b"x" * 100)
    url = scripted.address + "/x"
    assert remote.load_direct(url, {}, offset=0, length=None, limit=99) is None
    assert remote.load_direct(url, {}, offset=0, length=10, limit=99) is None  # not a range
    scripted.respond = lambda path, body: (206, b"x" * 9)
    assert remote.load_direct(url, {}, offset=0, length=9, limit=99) == b"x" * 9


@pytest.mark.parametrize(
    "answer",
    [
        (404, b""),
        (405, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, json.dumps({**ANSWER, "epoch": "x"}).encode()),
        (200, json.dumps({**ANSWER, "keys": 1}).encode()),
        (200, json.dumps({**ANSWER, "bodies": [1]}).encode()),
        (200, json.dumps({**ANSWER, "bodies": [{"type": "keys", "name": NAME}]}).encode()),
        (200, json.dumps({**ANSWER, "direct": None}).encode()),
    ],
)
def test_what_is_not_the_service_is_plain_storage(
    scripted: Scripted, remote: RestBackend, answer: tuple[int, bytes]
) -> None:
    scripted.respond = lambda path, body: answer
    assert upgraded(remote) is remote


def test_a_plain_server_is_not_even_asked() -> None:
    with running_server() as server:
        plain = RestBackend(server.url, patience=0)
        assert upgraded(plain) is plain
        plain.close()


def test_refusals_say_why(scripted: Scripted, remote: RestBackend) -> None:
    service = service_of(remote)
    refusal = json.dumps({"code": "forbidden", "message": "Not with this one."}).encode()
    scripted.respond = lambda path, body: (403, refusal)
    with pytest.raises(AccessRefusedError, match=r"Not with this one\."):
        service.finish((NAME, b"snapshot"), unread=0)
