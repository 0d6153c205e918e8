"""What is left of a refused request's body: read up to a bound, so that the answer is seen."""

import time

from django.conf import settings
from django.http import HttpRequest

from storage.body import FIRST_HALF_MINUTE


def discard(request: HttpRequest) -> None:
    """Read what is left of a refused body, up to a bound, and hang up if there is more.

    Whoever is refused may be anybody: none may keep a thread by sending nothing, or very little.
    """
    socket = request.META.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(settings.GATEWAY_STALL)
    try:
        is_at_end = _read_to_end(request)
    except OSError:
        is_at_end = False
    if not is_at_end and socket is not None:
        request.META["nightsafe.hang_up"] = True


def _read_to_end(request: HttpRequest) -> bool:
    """Read on until the end (True), or until it is too much or takes too long (False)."""
    stream = request.META["nightsafe.body"]() if "nightsafe.body" in request.META else request
    begun, taken = time.monotonic(), 0
    while taken < settings.REFUSED_DRAIN:
        piece = stream.read(256 * 1024)
        if not piece:
            return True
        taken += len(piece)
        seconds = time.monotonic() - begun
        if seconds > FIRST_HALF_MINUTE and taken < seconds * settings.GATEWAY_MIN_RATE:
            return False
    return False
