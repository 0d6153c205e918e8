"""A whole restic REST server in memory that can be told to misbehave."""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

USER, SECRET = "device-1", "s3cret/with:odd@signs"
_V2 = "application/vnd.x.restic.rest.v2"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Fault:
    """What to do to the next requests that fit. `after` lets the request take effect first."""

    method: str = ""
    path: str = ""
    status: int = 0
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    after: bool = False
    change: Callable[[bytes], bytes] | None = None
    cut: int = 0
    times: int = 1

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in ("", method) and self.path in path


class RestServer(ThreadingHTTPServer):
    """Serves `objects`, a map from path (below the vault) to bytes."""

    daemon_threads = True
    request_queue_size = 128  # a client may connect several times at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.headers_seen: list[dict[str, str]] = []
        self.refuse_existing = False
        self.url = f"http://127.0.0.1:{self.server_address[1]}/restic/vault-1/"
        self.lock = threading.Lock()

    def fail(self, **details: Any) -> Fault:
        """Arrange for a fault; see `Fault`."""
        fault = Fault(**details)
        self.faults.append(fault)
        return fault

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: RestServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits for the client's acknowledgement

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix("/restic/vault-1/")
        with self.server.lock:
            self.server.requests.append((self.command, path))
            self.server.headers_seen.append(dict(self.headers))
            fault = next((f for f in self.server.faults if f.fits(self.command, path)), None)
            if fault:
                fault.times -= 1
            if fault and not fault.after and (fault.status or fault.drop):
                return self._misbehave(fault)
            status, answer, headers = self._answer(path, body)
        if fault and fault.after:
            return self._misbehave(fault)
        if fault and fault.change:
            answer = fault.change(answer)
        self._send(status, answer, headers, cut=fault.cut if fault else 0)
        return None

    do_GET = do_HEAD = do_POST = do_DELETE = _handle  # noqa: N815

    def _misbehave(self, fault: Fault) -> None:
        if fault.drop:
            self.close_connection = True
            self.connection.close()
            return
        headers = {"Content-Type": "text/plain; charset=utf-8"} | fault.headers
        self._send(fault.status, fault.text.encode(), headers)

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        text = {"Content-Type": "text/plain"}
        pair = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {pair}":
            return 401, b"Unknown credential.", text
        if self.path.startswith("/restic/vault-1/") is False:
            return 404, b"There is no such vault.", text
        return getattr(self, f"_{self.command.lower()}")(path, body)

    def _get(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        objects = self.server.objects
        if path.endswith("/"):
            found = [n.removeprefix(path) for n in objects if n.startswith(path)]
            listing = [{"name": n, "size": len(objects[path + n])} for n in found]
            return 200, json.dumps(listing).encode(), {"Content-Type": _V2}
        if path not in objects:
            return 404, b"No such object.", {"Content-Type": "text/plain"}
        data, asked = objects[path], _RANGE.fullmatch(self.headers.get("Range", ""))
        if not asked:
            return 200, data, {}
        start, end = int(asked[1]), int(asked[2] or len(data)) + 1
        return (206, data[start:end], {}) if start < len(data) else (416, b"", {})

    def _head(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        return self._get(path, body)

    def _post(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        text = {"Content-Type": "text/plain"}
        if path.startswith("?create"):
            return 200, b"", {}
        if self.server.refuse_existing and path in self.server.objects:
            return 403, b"It exists.", text
        if self.server.objects.setdefault(path, body) != body:
            return (409 if path == "config" else 400), b"Other bytes stand there.", text
        return 200, b"", {}

    def _delete(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        found = self.server.objects.pop(path, None)
        return (
            (404, b"No such object.", {"Content-Type": "text/plain"})
            if found is None
            else (
                200,
                b"",
                {},
            )
        )

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, cut: int = 0) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) - cut])
        if cut:
            self.close_connection = True


def connect_string(server: RestServer, secret: str = SECRET) -> str:
    """Address and credential in one piece, as a user would paste it."""
    return server.url.replace("//", f"//{USER}:{quote(secret, safe='')}@")


@contextmanager
def running_server() -> Iterator[RestServer]:
    """A server for the length of a `with` block."""
    with RestServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
