"""What every page may say about the service, and which links it may show to whom."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.access import Seat, seat_or_none
from accounts.roles import Right


class May:
    """Answers in a template what a page asks too: `{% if may.see_billing %}`, with a right's name.

    Nobody without a seat may anything. The seat is looked up once, and only by pages that ask.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def __getitem__(self, name: str) -> bool:
        """Return whether the reader has the right of that name. Raises KeyError for no right."""
        right, seat = Right[name.upper()], self._seat()
        return seat is not None and seat.may(right)

    def _seat(self) -> Seat | None:
        if not hasattr(self._request, "seat"):
            try:
                self._request.seat = seat_or_none(self._request)  # type: ignore[attr-defined]
            except PermissionDenied:  # a form for an account in which they have no seat any more
                self._request.seat = None  # type: ignore[attr-defined]
        found: Seat | None = getattr(self._request, "seat", None)
        return found


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the site's address, whether mails are read on a page here, and what one may do."""
    return {
        "embedded": settings.EMBEDDED,
        "version": settings.VERSION,
        "site_url": settings.SITE_URL,
        "may": May(request),
    }
