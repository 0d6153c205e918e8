"""The language of a page that is translated: chosen by a link, or else the browser's.

Only public pages are translated so far, so only their views speak another language than English:
half a page in one and half in another would serve nobody.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

View = Callable[..., HttpResponse]
CHOICE = "language"  # of the query
REMEMBERED = 365 * 24 * 3600  # seconds


def in_own_language(view: View, request: HttpRequest, *args: Any, **values: Any) -> HttpResponse:
    """Answer in the visitor's language, and remember one that was chosen."""
    chosen = request.GET.get(CHOICE, "")
    is_choice = chosen in dict(settings.LANGUAGES)
    language = chosen if is_choice else translation.get_language_from_request(request)
    request.LANGUAGE_CODE = language
    with translation.override(language):
        response = view(request, *args, **values)
    if is_choice:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            chosen,
            max_age=REMEMBERED,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    response["Content-Language"] = language
    patch_vary_headers(response, ["Accept-Language", "Cookie"])
    return response
