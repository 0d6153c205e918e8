"""The gateway's own answers to addresses it does not have and to its own failures: plain text."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 to an address that is none of the protocol's."""
    return _plain(request, HTTPStatus.NOT_FOUND, "There is nothing at this address.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 to a request that cannot be read."""
    return _plain(request, HTTPStatus.BAD_REQUEST, "The request cannot be read.")


def failed(request: HttpRequest) -> HttpResponse:
    """Answer 500; what was asked for did not happen."""
    return _plain(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The service failed. Nothing that was acknowledged is affected; try again.",
    )


def _plain(request: HttpRequest, status: HTTPStatus, text: str) -> HttpResponse:
    body = "" if request.method == "HEAD" else f"{text}\n"
    return HttpResponse(body, status=status, content_type="text/plain; charset=utf-8")
