"""Reads the rest of a refused request's body, up to a bound, so that the client sees the answer."""

import time

from django.conf import settings
from django.http import HttpRequest

from storage.body import stream_of
from storage.database.connections import lend_connection


def hang_up(request: HttpRequest) -> None:
    """Close the connection after the answer, and leave the body to the web server.

    It reads on for a moment, without a thread, so that the answer gets through. For whoever is
    refused before being known: none of those may keep a thread.
    """
    close = getattr(request.META.get("gunicorn.socket"), "close_after_answer", None)
    if close is not None:  # it is our own web server
        close()


def discard(request: HttpRequest) -> None:
    """Read what is left of a refused customer's body, up to a bound; hang up if there is more."""
    socket = request.META.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(settings.GATEWAY_STALL)
    try:
        is_at_end = _read_to_end(request)
    except OSError:
        is_at_end = False
    if not is_at_end:
        hang_up(request)


def _read_to_end(request: HttpRequest) -> bool:
    """Read on until the end (True), or until it is too much or takes too long (False)."""
    lend_connection()
    stream = stream_of(request)
    begun, taken = time.monotonic(), 0
    while taken < settings.REFUSED_READ:
        piece = stream.read(256 * 1024)
        if not piece:
            return True
        taken += len(piece)
        seconds = time.monotonic() - begun
        if seconds > settings.GATEWAY_PATIENCE and taken < seconds * settings.GATEWAY_MIN_RATE:
            return False
    return False
