"""Says what is wrong as RFC 9457 has it: one form for every error of the API."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from accounts import request_facts
from accounts.closed_accounts import ClosedAccountError

MEDIA_TYPE = "application/problem+json"
MAX_RETRY = 86_400  # seconds


class ProblemRenderer(JSONRenderer):
    """JSON under the name that RFC 9457 gives it."""

    media_type = MEDIA_TYPE


class ProblemError(exceptions.APIException):
    """An error with a code of its own. `detail` says in a sentence what to do."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail, code)
        self.status_code = status


class ConflictError(ProblemError):
    """What was asked for does not fit what is there."""

    def __init__(self, detail: str, code: str = "conflict") -> None:
        super().__init__(HTTPStatus.CONFLICT, code, detail)


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return a problem document. `type` is an address where the code is explained."""
    return {
        "type": f"{settings.SITE_URL}/docs/api/reference/#problem-{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }


def problem_response(status: int, code: str, detail: str) -> JsonResponse:
    """Return a problem as the answer of what is no view of the API."""
    document = problem(status, code, detail)
    headers = {"Cache-Control": "no-store"}
    return JsonResponse(document, status=status, content_type=MEDIA_TYPE, headers=headers)


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an error of a view into a problem document; None leaves it to Django, as a fault."""
    match error:
        case ClosedAccountError():
            error = ConflictError(str(error), "closed")
        case Http404():
            error = exceptions.NotFound("There is nothing here that you may see.")
        case PermissionDenied():
            error = exceptions.PermissionDenied(str(error) or "This token may not do that.")
        case exceptions.APIException():
            pass
        case _:
            return None
    status = int(error.status_code)
    headers = {}
    if error_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(min(MAX_RETRY, max(1, int(wait))))
    if isinstance(error, exceptions.ValidationError):
        fields = [
            {"field": field, "detail": text, "code": code}
            for field, text, code in _fields(error.get_full_details())
        ]
        document = problem(
            status, "invalid", "Some fields are not as they have to be.", errors=fields
        )
    else:
        document = problem(status, _code(error), str(error.detail))
    response = Response(document, status=status, headers=headers, content_type=MEDIA_TYPE)
    request = context.get("request")
    if request is not None:
        request_facts.note(request._request, cause=document["code"])  # noqa: SLF001
        request.accepted_renderer = ProblemRenderer()
        request.accepted_media_type = MEDIA_TYPE
    return response


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes.replace("_", "-") if isinstance(codes, str) else "invalid"


def _fields(details: Any, path: str = "") -> list[tuple[str, str, str]]:
    """Flatten DRF's nested errors: a dotted path, a sentence and a code each."""
    if isinstance(details, dict) and {"message", "code"} == details.keys():
        return [(path, str(details["message"]), str(details["code"]))]
    if isinstance(details, dict):
        found = []
        for name, inner in details.items():
            here = "" if name == "non_field_errors" else str(name)
            found += _fields(inner, ".".join(filter(None, (path, here))))
        return found
    if isinstance(details, list):
        return [one for inner in details for one in _fields(inner, path)]
    return []
