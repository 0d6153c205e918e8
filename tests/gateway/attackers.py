"""Clients that hold what they can: slow, silent, greedy, endless; and they come again."""

import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

TICK = 0.25  # seconds


@dataclass(frozen=True)
class Way:
    """One way to hold something: what a client sends at first, and then at every tick."""

    name: str
    port: int
    opening: Callable[[], bytes] = bytes
    drip: bytes = b""
    reads: bool = True  # or lets its buffers run full
    comes_again: bool = True


@dataclass
class Attack:
    """`count` sockets that go one way, for a `with` block."""

    way: Way
    count: int = 40
    opened: int = 0
    sent: int = 0
    _sockets: list[socket.socket] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Attack":
        self._sockets = [self._open() for _ in range(self.count)]
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        for client in self._sockets:
            client.close()

    def _open(self) -> socket.socket:
        self.opened += 1
        client = socket.socket()
        if not self.way.reads:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with contextlib.suppress(OSError):
            client.settimeout(5)
            client.connect(("127.0.0.1", self.way.port))
            client.setblocking(False)
            self.sent += client.send(self.way.opening())
        client.setblocking(False)
        return client

    def _go_on(self) -> None:
        while not self._over.wait(TICK * random.uniform(0.6, 1.4)):
            for number, client in enumerate(self._sockets):
                if self._over.is_set():
                    return
                if not self._is_alive(client) and self.way.comes_again:
                    client.close()
                    self._sockets[number] = self._open()

    def _is_alive(self, client: socket.socket) -> bool:
        try:
            if self.way.drip:
                self.sent += client.send(self.way.drip)
            if self.way.reads:
                return client.recv(65536) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


def post(path: str, length: int, *headers: str) -> bytes:
    """The head of a POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def get(path: str, *headers: str) -> bytes:
    """A GET."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def nobody() -> str:
    """Credentials that open nothing."""
    return f"Authorization: Basic {os.urandom(9).hex()}"


def seconds(call: Callable[[], object]) -> float:
    """How long something took."""
    begun = time.monotonic()
    call()
    return time.monotonic() - begun
