"""The loop: gunicorn's threaded worker, which gives threads to whole requests only.

Of gunicorn's worker everything that happens in threads stays (`handle`), and so do its start, its
end and its counting. How connections wait is ours.
"""

import errno
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from backup_service.front.client import ClientSocket
from backup_service.front.connection import Connection, Phase
from backup_service.front.intake import Progress, RefusedRequestError
from backup_service.front.limits import GATEWAY, SITE, Limits

_RECEIVED = 64 * 1024  # bytes at a time
_NOTHING_TO_ACCEPT = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE}
_SHED = 0.05  # of all connections, when there is no room for another
_LAST_CALL = 2.0  # seconds for another request, when the worker stops
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class FrontWorker(ThreadWorker):  # type: ignore[misc]
    """See above. Its subclasses say what they let their clients take."""

    limits: Limits

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Everybody who is waited for; who has been for longest in the same phase comes first.
        self._waiting: dict[Connection, None] = {}
        self._ready: dict[Phase, Callable[[Connection], None]] = {
            Phase.REQUEST: self._receive,
            Phase.TAKING: self._send,
            Phase.GOODBYE: self._drain,
        }

    # --- The loop's own thread

    def accept(self, listener: socket.socket) -> None:
        """A client has come. It has no thread yet."""
        try:
            plain, address = listener.accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTORS:
                self._shed()
            elif error.errno not in _NOTHING_TO_ACCEPT:
                raise
            return
        self.nr_conns += 1
        client = ClientSocket.of(plain, self.limits)
        conn = Connection(self.cfg, client, address, listener.getsockname(), self.limits)
        self._wait_for(conn, Phase.REQUEST, self.limits.head_seconds)

    def finish_request(self, conn: Connection, future: "Future[bool]") -> None:
        """A thread is through with a request."""
        try:
            conn.stays = bool(not future.cancelled() and future.result())
            conn.sock.setblocking(False)
            if conn.sock.has_unsent:
                self._wait_for(conn, Phase.TAKING, self.limits.stall_seconds)
            else:
                self._go_on(conn)
        except Exception:
            self._close(conn)

    def murder_pending(self) -> None:
        """End what has lasted too long, and make room for those who come."""
        now = time.monotonic()
        for conn in [conn for conn in self._waiting if conn.deadline <= now]:
            self._expire(conn)
        if self.nr_conns >= self.worker_connections:
            self._shed()

    def murder_keepalived(self, force: bool = False) -> None:
        """Leave nobody open at the end."""
        if force:
            for conn in list(self._waiting):
                self._end(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Stopping: wait no longer for another request."""
        for conn in self._waiting:
            if conn.phase is Phase.REQUEST and conn.intake.progress is Progress.NOTHING:
                conn.deadline = min(conn.deadline, deadline)

    def _wait_for(self, conn: Connection, phase: Phase, seconds: float) -> None:
        conn.expect(phase, seconds)
        self._waiting[conn] = None
        wanted = selectors.EVENT_WRITE if phase is Phase.TAKING else selectors.EVENT_READ
        self.poller.register(conn.sock, wanted, partial(self._on_ready, conn))

    def _on_ready(self, conn: Connection, client: ClientSocket) -> None:
        try:
            self._ready[conn.phase](conn)
        except BlockingIOError:
            return
        except OSError:
            self._end(conn)

    def _receive(self, conn: Connection) -> None:
        piece = conn.sock.recv(_RECEIVED)
        if not piece:
            self._end(conn)
            return
        self._feed(conn, piece)

    def _feed(self, conn: Connection, piece: bytes) -> None:
        """Take a piece of a request; a whole one gets a thread."""
        before = conn.intake.progress
        try:
            progress = conn.intake.feed(piece)
        except RefusedRequestError as refusal:
            self._refuse(conn, refusal)
            return
        if progress is Progress.WHOLE:
            self._forget(conn)
            self.enqueue_req(conn)
        elif progress is not before:
            limits, is_head = self.limits, progress is Progress.HEAD
            conn.expect(Phase.REQUEST, limits.head_seconds if is_head else limits.body_seconds)
            if conn.intake.expects_continue:
                conn.sock.send(_CONTINUE)

    def _send(self, conn: Connection) -> None:
        if conn.sock.flush():
            conn.expect(Phase.TAKING, self.limits.stall_seconds)
        if not conn.sock.has_unsent:
            self._forget(conn)
            self._go_on(conn)

    def _drain(self, conn: Connection) -> None:
        piece = conn.sock.recv(_RECEIVED)
        conn.left_to_drain -= len(piece)
        if not piece or conn.left_to_drain < 0:
            self._end(conn)

    def _go_on(self, conn: Connection) -> None:
        """The client has its answer: wait for its next request, or take leave."""
        if not conn.stays:
            self._take_leave(conn)
            return
        kept = self.cfg.keepalive if self.alive else min(self.cfg.keepalive, _LAST_CALL)
        self._wait_for(conn, Phase.REQUEST, kept)
        ahead = conn.parser.unreader.take_buffered()
        if ahead:  # of the next request, which came with the last one
            self._feed(conn, ahead)

    def _take_leave(self, conn: Connection) -> None:
        """Say that nothing more comes, and let the client read the answer before it is cut off."""
        with suppress(OSError):
            conn.sock.shutdown(socket.SHUT_WR)
            limits, has_rest = self.limits, not conn.has_whole_body()
            conn.left_to_drain = limits.drain_bytes
            seconds = limits.discard_seconds if has_rest else limits.goodbye_seconds
            self._wait_for(conn, Phase.GOODBYE, seconds)
            return
        self._close(conn)

    def _refuse(self, conn: Connection, refusal: RefusedRequestError) -> None:
        self._forget(conn)
        with suppress(OSError):
            conn.sock.send(refusal.answer())
        self._take_leave(conn)

    def _expire(self, conn: Connection) -> None:
        is_under_way = conn.intake.progress in {Progress.HEAD, Progress.BODY}
        if conn.phase is Phase.REQUEST and is_under_way:
            text = "The request came too slowly; send it again."
            self._refuse(conn, RefusedRequestError(HTTPStatus.REQUEST_TIMEOUT, text))
        else:
            self._end(conn)

    def _shed(self) -> None:
        """End the connections that have been waited for the longest."""
        for conn in list(self._waiting)[: max(1, int(self.worker_connections * _SHED))]:
            self._end(conn)

    def _end(self, conn: Connection) -> None:
        self._forget(conn)
        self._close(conn)

    def _forget(self, conn: Connection) -> None:
        del self._waiting[conn]
        self.poller.unregister(conn.sock)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    # --- The threads

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Let the application answer."""
        conn.sock.begin(req)
        return bool(super().handle_request(req, conn))

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Return whether another request may come: not behind a body that is still on its way."""
        return keepalive and conn.has_whole_body()


class SiteWorker(FrontWorker):
    """Pages and forms: a thread gets whole forms."""

    limits = SITE


class GatewayWorker(FrontWorker):
    """Objects: their bodies go through the application, which counts and times them."""

    limits = GATEWAY
