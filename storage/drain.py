"""What is left of a refused request's body: read up to a bound, so that the answer is seen."""

from django.conf import settings
from django.http import HttpRequest


def discard(request: HttpRequest) -> None:
    """Read what is left of a refused body, up to a bound, and hang up if there is more."""
    left = settings.REFUSED_DRAIN
    piece = b"x"
    try:
        while piece and left > 0:
            piece = request.read(min(left, 256 * 1024))
            left -= len(piece)
    except OSError:
        return
    socket = request.META.get("gunicorn.socket")
    if piece and socket is not None:
        request.META["nightsafe.hang_up"] = True
