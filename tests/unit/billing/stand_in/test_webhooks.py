"""Events reach the service: signed, and again until they are taken."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stripe import Webhook

from tests.support.billing.stand_in import running
from tests.support.waiting import wait_until


class Listener(ThreadingHTTPServer):
    """Keeps what it was sent; answers 500 until it is told to take things."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.takes = False
        super().__init__(("127.0.0.1", 0), Taker)


class Taker(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((body, self.headers["Stripe-Signature"]))
        self.send_response(200 if self.server.takes else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield listener
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def test_an_event_is_sent_again_until_it_is_taken_also_after_a_restart(tmp_path: Path) -> None:
    with listening() as listener:
        url = f"http://127.0.0.1:{listener.server_port}/billing/webhook/"
        with running(tmp_path, webhook_url=url) as stand_in:
            stand_in.client().v1.customers.create({"email": "a@example.org"})
            wait_until(lambda: listener.got, 10)
            stand_in.stop(hard=True)
            listener.takes = True
            before = len(listener.got)
            stand_in.start()
            stand_in.travel(60)
            wait_until(lambda: len(listener.got) > before, 10)
            body, signature = listener.got[-1]
            now = 10**9  # a moved clock signs with its own moment, so the library's may be far away
            event = Webhook.construct_event(body, signature, stand_in.webhook_secret, tolerance=now)
            assert event.type == "customer.created"
            assert stand_in.client().v1.events.retrieve(event.id).id == event.id
            stand_in.travel(86400)
            stand_in.client().v1.customers.create({"email": "b@example.org"})
            wait_until(lambda: b"b@example.org" in listener.got[-1][0], 10)
            assert len({body for body, _ in listener.got}) == 2
