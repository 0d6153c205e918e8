"""The HTTP server: the API below /v1/, everything else is a page for people."""

import contextlib
import logging
import re
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from billing.stand_in.api import dispatch
from billing.stand_in.business import passage
from billing.stand_in.business.cards import CARDS
from billing.stand_in.errors import ApiError
from billing.stand_in.pages import checkout, portal
from billing.stand_in.pages.layout import POLICY, Page, e, not_there, page
from billing.stand_in.params import Params
from billing.stand_in.world import World

log = logging.getLogger(__name__)
MOST_BYTES = 256 * 1024  # of a body
_NAME = r"([A-Za-z0-9_]{1,255})"
_SHOWN: list[tuple[str, Callable[[World, str], Page]]] = [
    (f"/c/pay/{_NAME}", checkout.show),
    (f"/c/pay/{_NAME}/confirm", checkout.ask),
    (f"/p/session/{_NAME}", portal.show),
    (f"/i/{_NAME}", checkout.invoice_page),
]
_SENT: list[tuple[str, Callable[[World, str, Params], Page]]] = [
    (f"/c/pay/{_NAME}", checkout.pay),
    (f"/c/pay/{_NAME}/confirm", checkout.confirm),
    (f"/p/session/{_NAME}", portal.act),
    (f"/i/{_NAME}", checkout.pay_invoice),
]


class Server(ThreadingHTTPServer):
    """A thread for each connection; when it is closed, so are those that are kept alive."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection while it is open."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has come to its end."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End the connections; their threads then end by themselves."""
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # the other side was quicker
                connection.shutdown(socket.SHUT_RDWR)


def serve(world: World, *, host: str = "127.0.0.1") -> ThreadingHTTPServer:
    """Return a server that listens, with a thread for each connection."""

    class Bound(Handler):
        its_world = world

    return Server((host, world.settings.port), Bound)


def page_for(world: World, method: str, path: str, form: str) -> Page:
    """Return the page for an address, after doing what a form asks."""
    if path == "/" and method == "GET":
        return _front()
    if method == "GET":
        for pattern, show in _SHOWN:
            if found := re.fullmatch(pattern, path):
                return show(world, found[1])
        return not_there()
    for pattern, act in _SENT:
        if found := re.fullmatch(pattern, path):
            return _acted(world, act, found[1], form)
    return not_there()


def _acted(world: World, act: Callable[[World, str, Params], Page], name: str, form: str) -> Page:
    try:
        with world.store.transaction():
            return act(world, name, Params.decode(form))
    except checkout.DeclinedError as error:
        return checkout.show(world, name, error=str(error))
    except ApiError as error:
        return page("This did not work", f"<p>{e(error)}</p>", status=400)


def _front() -> Page:
    cards = "".join(f"<li><code>{n}</code> {e(card.title)}" for n, card in CARDS.items())
    return page(
        "A stand-in for the payment service",
        "<p>This server plays the payment service for a Nightsafe that runs on this computer. "
        "Pages to pay at begin on the site, under Billing. Real cards do nothing here.</p>"
        f"<h2>Test cards</h2><ul>{cards}</ul>",
    )


class Handler(BaseHTTPRequestHandler):
    """Reads a request, lets the world catch up with the clock, and answers."""

    its_world: World
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "PaymentsStandIn", ""
    timeout = 60
    # Head and body go out together: in two pieces, the second waits for the client's patience.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer("GET", "")

    def do_POST(self) -> None:
        """Answer a POST of a form."""
        self._with_body("POST")

    def do_DELETE(self) -> None:
        """Answer a DELETE, which may have parameters."""
        self._with_body("DELETE")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: addresses name sessions."""

    def _with_body(self, method: str) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.close_connection = True
            self._send(413, "text/plain", b"Too large.\n", {})
            return
        self._answer(method, self.rfile.read(int(length)).decode("utf-8", "replace"))

    def _answer(self, method: str, form: str) -> None:
        world, address = self.its_world, urlsplit(self.path)
        try:
            passage.catch_up(world)
            if address.path.startswith("/v1/"):
                told, headers = form or address.query, dict(self.headers.items())
                status, body = dispatch.answer(world, method, address.path, told, headers)
                self._send(status, "application/json", body.encode(), {"Request-Id": "req_standin"})
                return
            shown = page_for(world, method, address.path, form)
        except Exception:
            log.exception("%s %s failed", method, address.path[:100])
            self._send(500, "application/json", b'{"error": {"type": "api_error"}}', {})
            return
        extra = {"Location": shown.location} if shown.location else {}
        self._send(shown.status, "text/html; charset=utf-8", shown.body.encode(), extra)

    def _send(self, status: int, kind: str, body: bytes, extra: dict[str, str]) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in {**headers, **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
