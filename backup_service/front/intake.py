"""Decides when a request is whole. Pure: knows no sockets and no clock.

It looks for the end of the head and, where bodies are waited for, for their announced length.
Everything else about a request is for gunicorn's own parser to judge, which gets all bytes.
"""

import re
from enum import Enum
from http import HTTPStatus

from backup_service.front.limits import Limits

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class Progress(Enum):
    """How far a request has come."""

    NOTHING = "nothing"
    HEAD = "in its head"
    BODY = "in its body"
    WHOLE = "whole"


class RefusedRequestError(Exception):
    """A request that no thread is to see; its status and text are the answer."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status

    def answer(self) -> bytes:
        """Return the whole answer, after which the connection ends."""
        body = f"{self}\n".encode()
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body


class Intake:
    """The bytes of one client, until they are a request."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = bytearray()
        self._wanted: int | None = None  # bytes of head and body, once the head is there
        self.expects_continue = False

    @property
    def progress(self) -> Progress:
        """How far the present request has come."""
        if self._wanted is None:
            return Progress.HEAD if self._bytes else Progress.NOTHING
        return Progress.WHOLE if len(self._bytes) >= self._wanted else Progress.BODY

    def feed(self, piece: bytes) -> Progress:
        """Take what has come. Raises RefusedRequestError."""
        searched = max(0, len(self._bytes) - len(_END) + 1)
        self._bytes += piece
        if self._wanted is None:
            end = self._bytes.find(_END, searched)
            if end >= 0:
                self._wanted = end + len(_END) + self._body_of(bytes(self._bytes[: end + 2]))
            elif len(self._bytes) > self._limits.head_bytes:
                raise RefusedRequestError(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"The head of a request may have {self._limits.head_bytes} bytes.",
                )
        return self.progress

    def take(self) -> bytes:
        """Hand over everything that has come, and begin anew."""
        taken = bytes(self._bytes)
        self._bytes.clear()
        self._wanted, self.expects_continue = None, False
        return taken

    def _body_of(self, head: bytes) -> int:
        """Return how many bytes of body are waited for."""
        most = self._limits.body_bytes
        if most is None:
            return 0
        if _CODING.search(head):
            raise RefusedRequestError(
                HTTPStatus.LENGTH_REQUIRED, "A request must announce its length (Content-Length)."
            )
        announced = _LENGTH.search(head)
        length = int(announced[1]) if announced else 0
        if length > most:
            raise RefusedRequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request may have {most} bytes here."
            )
        self.expects_continue = bool(length and _EXPECTS.search(head))
        return length
