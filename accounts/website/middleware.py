"""Checks every request before a view sees it."""

from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase

from accounts.reader import in_zone_of
from accounts.texts import is_plain


class PlainTextsMiddleware:
    """Answers 400 to addresses and forms with characters that no database takes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass a request on; `process_view` checks it."""
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Raise BadRequest for texts that no database takes."""
        if not all(map(is_plain, _texts(request))):
            raise BadRequest("The request holds a character that is none.")


def _texts(request: HttpRequest) -> Iterator[str]:
    yield request.path_info
    for fields in (request.GET, request.POST):
        for name, values in fields.lists():
            yield name
            yield from map(str, values)


class ZoneMiddleware:
    """Has days and times on a page be those of the zone that its reader chose."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request in its reader's zone."""
        with in_zone_of(request.user):
            return self._get_response(request)


class KeptNowhereMiddleware:
    """Has no browser and no proxy keep what somebody who is signed in is shown.

    After signing out, "back" on a shared computer shows nothing then. A view that says otherwise
    is left alone.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        response = self._get_response(request)
        if getattr(request.user, "is_authenticated", False):  # the API leaves nobody behind
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response
