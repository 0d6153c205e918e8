"""How often a program may ask, and the headers that tell it so.

Headers as in the IETF's draft "RateLimit header fields for HTTP": a policy, and what is left of it.
"""

from django.core.cache import cache
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from backup_service import clock

REQUESTS, SECONDS = 600, 60  # of a token
ANONYMOUS_REQUESTS = 60  # of an address, without a token


def count(request: Request, who: str, *, most: int = REQUESTS) -> tuple[int, int]:
    """Count a request of `who`; return how many are left, and for how many seconds.

    Raises Throttled. While the counts cannot be kept, nobody is refused.
    """
    now = int(clock.now().timestamp())
    window, left_for = now // SECONDS, SECONDS - now % SECONDS
    key = f"api:{who}:{window}"
    if not cache.add(key, 1, 2 * SECONDS):
        try:
            used = cache.incr(key)
        except ValueError:  # it has run out between the two
            used = 1
    else:
        used = 1
    if used > most:
        raise Throttled(wait=left_for, detail=f"At most {most} requests in {SECONDS} seconds.")
    return most - used, left_for


def tell(response: Response, left: int, left_for: int, *, most: int = REQUESTS) -> None:
    """Put the headers on an answer."""
    response["RateLimit-Policy"] = f'"default";q={most};w={SECONDS}'
    response["RateLimit"] = f'"default";r={max(0, left)};t={left_for}'
