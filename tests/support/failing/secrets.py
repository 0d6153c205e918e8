"""Fails as code might that has a customer's secret in its hands."""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

log = logging.getLogger("storage.failing")


class LeakyError(Exception):
    """Quotes what it was given, as many a library's does."""


def fail(secret: str) -> None:
    """Log the secret, and raise it, from another error that quotes it, too."""
    held = {"passphrase": secret}
    log.error("it is %s", secret)
    log.error(f"it is {secret}", extra={"held": held})
    try:
        int(secret)
    except ValueError as error:
        raise LeakyError(secret, held) from error


def view(request: HttpRequest) -> HttpResponse:
    """Fail with everything that came: the body, a header, a cookie, the query."""
    secrets = [request.body.decode(), request.headers["X-Planted"], request.COOKIES["planted"]]
    fail(" ".join([*secrets, request.GET["planted"]]))
    return HttpResponse()


@sensitive_variables()
def marked_view(request: HttpRequest) -> HttpResponse:
    """Fail alike, where the code is marked as handling secrets."""
    return view(request)
