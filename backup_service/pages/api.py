"""The API's own pages: its OpenAPI document, and a reference to read that is made from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from accounts.customer_api.problems import problem_response
from storage.api import described

# What an error's `type` leads to.
PROBLEMS = {
    "invalid": "A field is missing, or not as it has to be; the document's errors name each.",
    "parse-error": "The body is no JSON, nested too deeply, or has characters that no text has.",
    "not-authenticated": "No token was sent.",
    "authentication-failed": "The token is wrong, revoked or expired.",
    "permission-denied": "The token’s scope, or its member’s role, does not allow it.",  # noqa: RUF001
    "not-found": (
        "There is nothing there that the token sees, or no such address: most end in a slash, and "
        "none is redirected."
    ),
    "method-not-allowed": "This address does not take that method.",
    "conflict": "It does not fit what is there; the document's detail says why.",
    "name-taken": "Something of the account has this name already.",
    "limit": "The plan, or the service, has no room for another one.",
    "in-use": (
        "The vault has been set up, so that backups may be in it, or something is being brought "
        "back into it."
    ),
    "not-in-use": "The credential was revoked or replaced, or may not do that.",
    "retired": "The computer is retired, and stays as it was.",
    "unpaid": "A payment is overdue; settle it on the website, and the account opens by itself.",
    "too-late": "The time in which it can be taken back is over.",
    "cannot-undelete": "That cannot be brought back; the document's detail says why.",
    "too-soon": "The same was done a moment ago; wait a minute.",
    "closed": "The account is closed; an owner opens it again in the settings.",
    "already-subscribed": "The account has a paid plan already; open the portal to change it.",
    "not-on-sale": "The plan or interval is not on offer, or the service takes no payments.",
    "payments-away": "The payment service cannot be asked; nothing was changed. Try again later.",
    "under-way": "A request with this Idempotency-Key is under way, or nobody knows how it ended.",
    "other-request": "The Idempotency-Key was sent with another request before.",
    "bad-idempotency-key": "The Idempotency-Key is too long, or has odd characters.",
    "too-many-keys": "Too many requests with an Idempotency-Key within a day.",
    "too-large": "The body is too large.",
    "unsupported-media-type": "Send JSON, with the content type application/json.",
    "not-acceptable": "Answers are JSON.",
    "bad-request": "The request has characters that no text may have, or cannot be read.",
    "failed": "The service failed; see whether it was done, and if not, try again.",
    "throttled": "Too many requests; the header Retry-After says when to go on.",
}


@dataclass(frozen=True)
class Operation:
    """An operation as the reference shows it. `answers` are statuses with what they mean."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[tuple[str, str, str]]
    takes: list[tuple[str, str, str]]
    gives: list[tuple[str, str, str]]
    answers: list[tuple[str, str]]


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """Return the OpenAPI document. It is made once: it changes with the code only."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    made["paths"] |= described.paths()
    made["components"]["schemas"] |= described.SHAPES
    made["components"]["securitySchemes"] |= described.SECURITY
    return made


@csrf_exempt  # so that a POST is told what it is refused for; nothing is changed here
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    if request.method not in ("GET", "HEAD"):
        detail = f'Method "{request.method}" not allowed.'
        refused = problem_response(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", detail)
        refused["Allow"] = "GET, HEAD"
        return refused
    response = JsonResponse(document(), json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "public, max-age=300"
    return response


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """The reference to read, group by group."""
    context = {"groups": groups(document()), "problems": PROBLEMS}
    return render(request, "public/docs/reference.html", context)


def groups(schema: dict[str, Any]) -> dict[str, list[Operation]]:
    """Return the operations by their tag, in the document's order."""
    found: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, said in methods.items():
            if method == "servers":  # of the agents' operations, which answer elsewhere
                continue
            tag = (said.get("tags") or ["other"])[0]
            found.setdefault(tag, []).append(_operation(schema, path, method, said))
    return found


def _operation(schema: dict[str, Any], path: str, method: str, said: dict[str, Any]) -> Operation:
    answers: dict[str, dict[str, Any]] = said["responses"]
    success = next((answer for status, answer in answers.items() if status.startswith("2")), {})
    return Operation(
        id=said["operationId"],
        method=method.upper(),
        path=path,
        summary=said.get("summary", ""),
        description=said.get("description", ""),
        parameters=[
            (one["name"], one["in"], one.get("description", ""))
            for one in said.get("parameters", [])
        ],
        takes=list(_fields(schema, said.get("requestBody", {}))),
        gives=list(_fields(schema, success)),
        answers=[(status, one.get("description", "")) for status, one in answers.items()],
    )


def _fields(schema: dict[str, Any], part: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of a body: name, type, what it means."""
    for content in part.get("content", {}).values():
        shape = _resolved(schema, content.get("schema", {}))
        for name, field in shape.get("properties", {}).items():
            yield name, _type(field), field.get("description", "")
        return


def _resolved(schema: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    name = shape.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema["components"]["schemas"].get(name, shape) if name else shape
    return found


def _type(field: dict[str, Any]) -> str:
    kind = field.get("type", "object")
    if isinstance(kind, list):
        return " or ".join(kind)
    return f"{kind} ({field['format']})" if "format" in field else str(kind)
