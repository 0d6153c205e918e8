"""Proxies on the way to the gateway that lose what a test tells them to, or what chance does."""

import contextlib
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

Judge = Callable[[str], bool]


class LossyProxy:
    """Forwards connections to `port`; drops the answer to requests that `loses` picks.

    The dropped request has reached the server in full and was answered: the client sees only a
    connection that ends.
    """

    def __init__(self, port: int, loses: Judge) -> None:
        self.lost: list[str] = []
        self._target = port
        self._loses = loses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # The gateway may close a connection that waits just as a request goes to it, and a
        # client may leave before its answer: as with any proxy, the other side sees an end.
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._target)) as server,
        ):
            while self._one(client, server):
                pass

    def _one(self, client: socket.socket, server: socket.socket) -> bool:
        request = _message(client)
        if request is None:
            return False
        line = request.split(b"\r\n", 1)[0].decode("latin-1")
        if not self._before(line):
            return False
        server.sendall(request)
        answer = _message(server, to_head=request.startswith(b"HEAD "))
        if answer is None:
            return False
        if self._loses(line):
            self.lost.append(line)
            return False
        answer, whole = self._after(line, answer)
        client.sendall(answer)
        return whole

    def _before(self, line: str) -> bool:
        """Whether the request may go on to the server."""
        return True

    def _after(self, line: str, answer: bytes) -> tuple[bytes, bool]:
        """What the client gets of the answer, and whether the connection lives on."""
        return answer, True


class StormyProxy(LossyProxy):
    """Drops requests and answers, cuts answers short and delays them, all at random."""

    def __init__(self, port: int, chance: random.Random) -> None:
        super().__init__(port, lambda line: self._strikes("answer", 0.05))
        self.harm: Counter[str] = Counter()
        self._chance = chance

    def _strikes(self, what: str, probability: float) -> bool:
        strikes = self._chance.random() < probability
        self.harm[what] += strikes
        return strikes

    def _before(self, line: str) -> bool:
        return not self._strikes("request", 0.05)

    def _after(self, line: str, answer: bytes) -> tuple[bytes, bool]:
        if self._strikes("delay", 0.1):
            time.sleep(self._chance.uniform(0.02, 0.4))
        if self._strikes("cut", 0.08):
            return answer[: self._chance.randrange(len(answer))], False
        return answer, True


def _message(source: socket.socket, *, to_head: bool = False) -> bytes | None:
    """Read one HTTP message whole (head, and a body of announced or chunked length)."""
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            piece = source.recv(1 << 16)
            if not piece:
                return None
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        fields = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
        )
        chunked = fields.get(b"transfer-encoding") == b"chunked"
        left = 0 if to_head else int(fields.get(b"content-length", b"0"))
        parts = [body]
        have = len(body)
        while have < left or (chunked and not b"".join(parts[-2:]).endswith(b"0\r\n\r\n")):
            piece = source.recv(1 << 16)
            if not piece:
                return None
            parts.append(piece)
            have += len(piece)
    except OSError:
        return None
    return head + b"\r\n\r\n" + b"".join(parts)
