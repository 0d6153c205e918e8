"""The language of a page: chosen by a link, or by its reader's settings, or else the browser's.

Programs and the service's staff are spoken to in English.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers

from accounts.reader import language_of

CHOICE = "language"  # of the query
REMEMBERED = 365 * 24 * 3600  # seconds
IN_ENGLISH = ("/api/", "/admin/", "/metrics", "/healthz", "/readyz", "/anymail/", "/static/")


class LanguageMiddleware:
    """Answers in the reader's language, and remembers one that was chosen."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass a request on with its language."""
        if request.path_info.startswith(IN_ENGLISH):
            return self._get_response(request)
        chosen = request.GET.get(CHOICE, "")
        is_choice = chosen in dict(settings.LANGUAGES)
        language = chosen if is_choice else _language(request)
        request.LANGUAGE_CODE = language
        with translation.override(language):
            response = self._get_response(request)
        if is_choice and isinstance(response, HttpResponse):
            remember(response, chosen)
        if response.get("Content-Type", "").startswith("text/html"):
            response["Content-Language"] = language
            patch_vary_headers(response, ["Accept-Language", "Cookie"])
        return response


def _language(request: HttpRequest) -> str:
    """Return what this browser chose before, or its reader in the settings, or the browser says."""
    kept = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if kept in dict(settings.LANGUAGES):
        return kept
    return language_of(request.user) or translation.get_language_from_request(request)


def remember(response: HttpResponse, language: str) -> None:
    """Let a browser keep the language that was chosen in it."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=REMEMBERED,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
