"""Errors that no view has answered: a problem document for programs, a page for people."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from accounts.customer_api.problems import problem_response

_API = "/api/v1/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 to a request that cannot be read."""
    if not request.path_info.startswith(_API):
        return defaults.bad_request(request, exception)
    detail = "The request has characters that no text may have, or cannot be read."
    return problem_response(HTTPStatus.BAD_REQUEST, "bad-request", detail)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer 500."""
    if not request.path_info.startswith(_API):
        return defaults.server_error(request)
    detail = (
        "The service failed, and whoever runs it is told. See whether what you asked for was done; "
        "if not, try again."
    )
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", detail)
