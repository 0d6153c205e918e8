"""What bodies the website takes: plain forms. No page of it takes files."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase

MULTIPART = "multipart/"


def plain_forms(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refuse bodies in many parts, before anything reads them: each part may cost a file."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if (request.content_type or "").startswith(MULTIPART):
            text = "Send this form as application/x-www-form-urlencoded; it has no files.\n"
            return HttpResponse(text, status=415, content_type="text/plain; charset=utf-8")
        return get_response(request)

    return middleware
