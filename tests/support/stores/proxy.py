"""A faulty proxy in front of a real store: it does to some requests what networks and stores do."""

import http.server
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import HTTPConnection
from typing import Self
from urllib.parse import parse_qs, urlsplit

# What a test wants done to a request, by its method and path; "" lets it pass.
Judge = Callable[[str, str], str]
HANG = 3.5  # seconds; longer than the tests' regions wait
SKEW = timedelta(minutes=15)  # by which stores let a request's time differ from theirs
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass
class Fault:
    """What happens to requests, and how many it has happened to.

    `refuse-<status>`: the store's error, unread. `lie`: 200 and nothing stored. `reset`: the
    connection is cut after some bytes. `hang`: silence. `lost`: done, and the answer lost.
    `swap`: 200 with the bytes `instead`. `cut`: half of the answer's body, then the end.
    `bare`: checksums are left out of the answer. `owned`: 409 BucketAlreadyOwnedByYou.
    """

    judge: Judge = lambda method, path: ""
    instead: bytes = b""
    seen: list[str] = field(default_factory=list)


class FaultyProxy:
    """Listens on `port` of 127.0.0.1 and forwards to the store on `target`.

    `ahead` is by how much the clock of the store seems to be ahead of ours: it dates its answers
    by that clock and refuses what seems too old or too young by it, as stores do.
    """

    def __init__(self, target: int) -> None:
        self.fault = Fault()
        self.ahead = timedelta()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, target))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def does(self, what: str, *, to: str = "", instead: bytes = b"", times: int = 1000) -> None:
        """Do `what` to the next `times` requests to keys, of the methods in `to` (or all)."""
        left = [times]

        def judge(method: str, path: str) -> str:
            if (to and method not in to) or path.count("/") < 5 or left[0] <= 0:
                return ""
            left[0] -= 1
            return what

        self.fault = Fault(judge, instead)

    def mend(self) -> None:
        """Be sound from now on."""
        self.fault, self.ahead = Fault(), timedelta()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: FaultyProxy, target: int) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner, store = proxy, target

    return Handler


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: FaultyProxy
    store: int
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits for the client's acknowledgement

    def log_message(self, format: str, *args: object) -> None:
        """Nothing; tests look at what comes back."""

    def do_any(self) -> None:
        path = self.path.partition("?")[0]
        fault = self.owner.fault.judge(self.command, path)
        if fault:
            self.owner.fault.seen.append(f"{self.command} {path}")
        self.close_connection = True
        untimely = self._untimely()
        if untimely:
            self.rfile.read(self._length())
            self._say(403, _xml(untimely))
        elif fault == "hang":
            time.sleep(HANG)
        elif fault == "reset":
            self.rfile.read(min(1000, self._length()))
            self._reset()
        else:
            self._answer(fault)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = do_any  # noqa: N815

    def _answer(self, fault: str) -> None:
        body = self.rfile.read(self._length())
        if fault.startswith("refuse-"):
            self._say(int(fault.partition("-")[2]), _xml("ServiceUnavailable"))
        elif fault == "owned":
            self._say(409, _xml("BucketAlreadyOwnedByYou"))
        elif fault == "lie":
            self._say(200, b"")
        elif fault == "swap":
            self._say(200, self.owner.fault.instead)
        else:
            self._forward(fault, body)

    def _forward(self, fault: str, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name != "Expect"}
        with closing(HTTPConnection("127.0.0.1", self.store, timeout=20)) as connection:
            connection.request(self.command, self.path, body=body, headers=headers)
            with connection.getresponse() as answer:
                content = answer.read()
        if fault == "lost":
            self._reset()
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if fault == "bare" and name.lower().startswith("x-amz-checksum"):
                continue
            if name.lower() == "last-modified":
                value = format_datetime(parsedate_to_datetime(value) + self.owner.ahead, True)
            if name.lower() not in ("date", "server", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault == "cut" else content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """What the answers are dated with."""
        return format_datetime(datetime.now(UTC) + self.owner.ahead, usegmt=True)

    def _untimely(self) -> str:
        """Return what a store with this clock would say of the request's time; "" if it is fine."""
        if not self.owner.ahead:
            return ""
        query = {name: found[0] for name, found in parse_qs(urlsplit(self.path).query).items()}
        stamp = query.get("X-Amz-Date") or self.headers.get("X-Amz-Date")
        if stamp is None:
            return ""
        signed = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
        age = datetime.now(UTC) + self.owner.ahead - signed
        if "X-Amz-Date" not in query:
            return "RequestTimeTooSkewed" if abs(age) > SKEW else ""
        lives = timedelta(seconds=int(query["X-Amz-Expires"]))
        return "AccessDenied" if age > lives or age < -SKEW else ""

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        """Cut the connection hard."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.rfile = self.wfile = _Closed()  # type: ignore[assignment]

    def _length(self) -> int:
        return int(self.headers.get("Content-Length") or 0)


class _Closed:
    closed = True

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _xml(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>x</Message></Error>".encode()
