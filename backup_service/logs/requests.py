"""Writes a line about each request: which one, of whom, how it was answered, how long it took.

Never paths, queries, headers or bodies: a route stands for the path, and the facts that the views
note (`accounts/request_facts.py`) for the rest. The time ends when the answer begins, since bodies
flow afterwards.
"""

import logging
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from accounts import request_facts
from accounts.tallies import REQUESTS, tallies
from backup_service.logs.request_context import answering, current, route_of

log = logging.getLogger("nightsafe.requests")
HEADER = "X-Request-Id"

# What tells where an answer comes from, in addresses of ours: nothing that opens anything.
_TOLD = {"vault": "vault", "vault_id": "vault", "device_id": "device", "kind": "kind"}
_ORDINARY = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
_QUIET = ("/static/", "/healthz", "/readyz")


class RequestLog:
    """Names each request, and logs how it was answered. It stands before all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        name, begun = secrets.token_hex(8), time.monotonic()
        token, object_token = current.set(name), answering.set(request)
        try:
            response = self._get_response(request)
            response[HEADER] = name
            self._note(request, response, time.monotonic() - begun)
            _count(request, response.status_code)
        finally:
            current.reset(token)
            answering.reset(object_token)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """Note why somebody was turned away."""
        if isinstance(error, PermissionDenied):
            request_facts.note(request, cause="forbidden", text=str(error))

    def _note(self, request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        level = _level(request, response.status_code)
        if not log.isEnabledFor(level):
            return
        facts: dict[str, Any] = {
            "method": _method(request),
            "route": route_of(request),
            "status": response.status_code,
            "ms": round(seconds * 1000, 1),
        }
        match = request.resolver_match
        if match is not None:
            facts |= {
                _TOLD[name]: str(value)[:40]
                for name, value in match.kwargs.items()
                if name in _TOLD
            }
        facts |= request_facts.noted(request)
        log.log(level, "answered", extra={"facts": facts})


def _count(request: HttpRequest, status: int) -> None:
    """Count requests of the customers' and the agents' API, and write what was counted so far."""
    if (route := route_of(request)).startswith("api/"):
        tallies.count(REQUESTS, method=_method(request), route=route, status=status)
    tallies.write_if_due()


def _method(request: HttpRequest) -> str:
    return str(request.method) if request.method in _METHODS else "other"


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _level(request: HttpRequest, status: int) -> int:
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.ERROR
    if status >= HTTPStatus.BAD_REQUEST and status not in _ORDINARY:
        return logging.WARNING
    if "cause" in request_facts.noted(request) and status < HTTPStatus.BAD_REQUEST:
        return logging.WARNING  # of a batch something was refused
    # A backup is thousands of requests to the gateway.
    is_many = request.path.startswith(_QUIET) or route_of(request).startswith("restic/")
    return logging.DEBUG if is_many else logging.INFO
