"""A Sentry that takes envelopes over HTTP and keeps them, or never answers."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.waiting import wait_until


class Intake:
    """What came in. `dsn` is where to."""

    def __init__(self) -> None:
        self.envelopes: list[bytes] = []
        self.heads: list[str] = []
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_address[1]
        self.dsn = f"http://public@127.0.0.1:{self.port}/1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def everything(self) -> str:
        """Return all that came, the requests' own lines as well."""
        return "\n".join([*self.heads, *(body.decode() for body in self.envelopes)])

    def events(self) -> list[dict[str, Any]]:
        """Return the events that came, in the order in which they did."""
        return [json.loads(body.splitlines()[2]) for body in list(self.envelopes)]

    def raised(self) -> list[dict[str, Any]]:
        """Return the events that tell of an exception."""
        return [event for event in self.events() if "exception" in event]

    def wait_for_raised(self) -> dict[str, Any]:
        """Return the first event that tells of our failing code's exception."""
        wait_until(self._found, 30, lambda: f"no report of it, but {self.events()}")
        return self._found() or {}

    def _found(self) -> dict[str, Any] | None:
        for event in self.raised():
            if event["exception"]["values"][-1]["type"] == "LeakyError":
                return event
        return None

    def stop(self) -> None:
        """Take no more."""
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def running() -> Iterator[Intake]:
    """Run an intake for the length of a `with` block."""
    intake = Intake()
    try:
        yield intake
    finally:
        intake.stop()


def _handler(intake: Intake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            intake.asked.set()
            intake.answers.wait(60)
            intake.heads.append(f"{self.path}\n{self.headers}")
            intake.envelopes.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    return Handler
