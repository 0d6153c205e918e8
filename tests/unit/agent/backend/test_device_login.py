"""The agent waits for its owner's word, whatever the website and the network do meanwhile."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from nightsafe.backend.device_login import Codes, DeviceLogin
from nightsafe.errors import AccessRefusedError, StorageError, UnreachableError

CODES: dict[str, Any] = {
    "user_code": "WDJB-MJHT",
    "verification_uri": "http://127.0.0.1/connect/",
    "device_code": "long",
    "interval": 0.01,
    "expires_in": 30,
}
TOKEN = {"access_token": "s3cret", "username": "ns1", "repository": "http://127.0.0.1/restic/x/"}


@dataclass
class Website:
    """Answers in turn; the last answer again and again.

    None breaks the connection off, and bytes are all that is sent before that.
    """

    url: str = ""
    answers: list[tuple[int, Any] | bytes | None] = field(default_factory=list)
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)


@pytest.fixture
def website() -> Iterator[Website]:
    site = Website()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            site.asked.append((self.path, parse_qs(body)))
            answer = site.answers.pop(0) if len(site.answers) > 1 else site.answers[0]
            if answer is None or isinstance(answer, bytes):
                self.wfile.write(answer or b"")
                self.close_connection = True
                return
            status, said = answer
            text = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def login(website: Website) -> Iterator[DeviceLogin]:
    made = DeviceLogin(website.url, patience=5)
    yield made
    made.close()


def codes(**other: Any) -> Codes:
    said = CODES | other
    return Codes(
        said["user_code"],
        said["verification_uri"],
        said["device_code"],
        said["interval"],
        said["expires_in"],
    )


def test_the_codes(website: Website, login: DeviceLogin) -> None:
    website.answers = [(200, CODES)]
    assert login.begin("laptop") == codes()
    ((path, said),) = website.asked
    assert path == "/api/v1/device/code"
    assert said["computer"] == ["laptop"]


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>a page</html>"),
        (200, []),
        (200, {}),
        (404, CODES),
        (200, CODES | {"user_code": "\x1b[31mevil"}),
        (200, CODES | {"verification_uri": "javascript:alert(1)"}),
        (200, CODES | {"device_code": 7}),
    ],
)
def test_a_site_that_is_none_of_ours(
    website: Website, login: DeviceLogin, answer: tuple[int, Any]
) -> None:
    website.answers = [answer]
    with pytest.raises(StorageError, match="does not answer as Nightsafe"):
        login.begin("laptop")


def test_too_many_computers(website: Website, login: DeviceLogin) -> None:
    website.answers = [(429, {"error": "slow_down", "error_description": "Try later."})]
    with pytest.raises(UnreachableError, match="Try later"):
        login.begin("laptop")


def test_odd_times_are_bounded(website: Website, login: DeviceLogin) -> None:
    website.answers = [(200, CODES | {"interval": -3, "expires_in": 1e300})]
    begun = login.begin("laptop")
    assert (begun.interval, begun.lifetime) == (5.0, 3600.0)


def test_it_waits_through_everything_that_passes(website: Website, login: DeviceLogin) -> None:
    website.answers = [
        (400, {"error": "authorization_pending"}),
        None,
        (503, b"busy"),
        (500, {}),
        (400, {"error": "authorization_pending"}),
        (200, TOKEN),
    ]
    connected = login.wait(codes())
    assert connected.url == "http://127.0.0.1/restic/x/"
    assert tuple(connected.credential) == ("ns1", "s3cret")


def test_it_slows_down_when_told(
    website: Website, login: DeviceLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    website.answers = [
        (400, {"error": "slow_down"}),
        (400, {"error": "slow_down"}),
        (200, TOKEN),
    ]
    login.wait(codes(interval=5))
    assert slept == [5, 10, 15]


@pytest.mark.parametrize("error", ["access_denied", "expired_token"])
def test_it_ends(website: Website, login: DeviceLogin, error: str) -> None:
    website.answers = [(400, {"error": error})]
    with pytest.raises(AccessRefusedError, match="nothing was stored"):
        login.wait(codes())


def test_nobody_confirms(website: Website, login: DeviceLogin) -> None:
    website.answers = [(400, {"error": "authorization_pending"})]
    with pytest.raises(AccessRefusedError, match="Nobody confirmed"):
        login.wait(codes(expires_in=0.2))


@pytest.mark.parametrize(
    "token",
    [
        {},
        TOKEN | {"username": ""},
        TOKEN | {"access_token": None},
    ],
)
def test_a_credential_that_is_none(website: Website, login: DeviceLogin, token: Any) -> None:
    website.answers = [(200, token)]
    with pytest.raises(StorageError, match="does not answer as Nightsafe"):
        login.wait(codes())


def test_no_secret_goes_from_tls_to_the_open() -> None:
    made = DeviceLogin("https://127.0.0.1:1/", patience=1)
    with pytest.raises(StorageError, match="does not answer as Nightsafe"):
        made.read(TOKEN)
    made.close()


@pytest.mark.parametrize(
    "cut", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: ", b"HTTP/1.1 400 B"]
)
def test_an_answer_that_broke_off_is_asked_for_again(
    website: Website, login: DeviceLogin, cut: bytes
) -> None:
    website.answers = [cut, (200, TOKEN)]
    assert login.wait(codes()).credential.username == "ns1"
    assert len(website.asked) == 2
