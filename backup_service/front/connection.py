"""One client's connection, between its threads."""

import time
from enum import Enum
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn

from backup_service.front.client import ClientSocket
from backup_service.front.intake import Intake
from backup_service.front.limits import Limits


class Phase(Enum):
    """What the loop waits for."""

    REQUEST = "a request, or the rest of one"
    TAKING = "the client, to take the rest of an answer"
    GOODBYE = "the client, to end the connection"


class Connection(TConn):  # type: ignore[misc]
    """A socket with what has come of its next request, and a time by which something happens."""

    sock: ClientSocket
    parser: Any

    def __init__(
        self, cfg: Any, sock: ClientSocket, client: Any, server: Any, limits: Limits
    ) -> None:
        super().__init__(cfg, sock, client, server)
        self.limits = limits
        self.intake = Intake(limits)
        self.phase = Phase.REQUEST
        self.deadline = 0.0  # by time.monotonic()
        self.stays = False  # whether another request may follow the present answer
        self.left_to_drain = 0  # bytes
        self.data_ready = True  # gunicorn's thread has nothing to wait for

    def init(self) -> None:
        """A thread begins: give gunicorn's parser what has come."""
        if self.parser is None:
            self.parser = http.get_parser(self.cfg, self.sock, self.client)
        self.parser.unreader.unread(self.intake.take())

    def expect(self, phase: Phase, seconds: float) -> None:
        """Wait for something, for so long."""
        self.phase = phase
        self.deadline = time.monotonic() + seconds

    def has_whole_body(self) -> bool:
        """Return whether nothing of the last request's body is left on the wire.

        What of it came with its head, and nobody read, is thrown away.
        """
        if self.parser is None or self.parser.mesg is None:
            return False  # whatever came was no request
        body = self.parser.mesg.body
        left = getattr(body.reader, "length", None)
        if body.failed or left is None:  # chunks: only their reader knows where they end
            return not body.failed and getattr(body.reader, "parser", self) is None
        unreader = self.parser.unreader
        ahead = unreader.take_buffered()
        if len(ahead) < left:
            return False
        body.reader.length = 0
        unreader.unread(ahead[left:])
        return True
