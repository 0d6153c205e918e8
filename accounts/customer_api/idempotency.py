"""Does a request once, however often a program sends it.

Source: the IETF's draft "The Idempotency-Key HTTP Header Field". The answer is kept for a day, but
for its secrets: those are in the first answer only. A request that broke, for whatever reason, may
have been done, so that its key is not used again.
"""

import hashlib
import json
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.closed_accounts import ClosedAccountError
from accounts.customer_api.authentication import access_of
from accounts.customer_api.problems import ConflictError, ProblemError
from accounts.models import IdempotentRequest
from accounts.tokens.tokens import TokenAccess
from backup_service import clock

HEADER = "Idempotency-Key"
KEPT = timedelta(days=1)
MAX_KEY = 255  # characters
MAX_KEPT = 10_000  # requests of an account
Handler = Callable[..., Response]


def idempotent(*, secrets: Collection[str] = ()) -> Callable[[Handler], Handler]:
    """Make a view's `post` do what is sent with one key once.

    `secrets` are the answer's fields that are not kept: repeated, they are null.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return handler(view, request, *args, **kwargs)
            begun = _begin(access_of(request), _checked(key), _fingerprint(request))
            if begun.status is not None:
                return _again(begun)
            try:
                response = handler(view, request, *args, **kwargs)
            except (APIException, ClosedAccountError, Http404, PermissionDenied):
                begun.delete()  # it was refused, so nothing was done, and it may be tried again
                raise
            _keep(begun, response, secrets)
            return response

        return once

    return decorate


def _checked(key: str) -> str:
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            "bad-idempotency-key",
            f"{HEADER} has 1 to {MAX_KEY} printable ASCII characters.",
        )
    return key


def _fingerprint(request: Request) -> str:
    said = json.dumps([request.method, request.path, request.data], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _begin(access: TokenAccess, sent: str, fingerprint: str) -> IdempotentRequest:
    """Return the row of a token's key: a new one, or one that has its answer.

    No token gets what was answered to another one, which may see more.
    """
    account = access.account
    key = hashlib.sha256(f"{access.token.pk}:{sent}".encode()).hexdigest()
    rows = IdempotentRequest.objects.filter(account=account)
    if rows[:MAX_KEPT].count() >= MAX_KEPT:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-keys",
            f"At most {MAX_KEPT} requests a day may have an {HEADER}.",
        )
    try:
        with transaction.atomic():
            return rows.create(account=account, key=key, fingerprint=fingerprint)
    except IntegrityError:
        found = rows.filter(key=key).first()
    if found is None:
        raise ConflictError("The same request has just failed; send it again.", "under-way")
    if found.fingerprint != fingerprint:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "other-request",
            f"This {HEADER} was sent with another request before. Choose another key.",
        )
    if found.status is None:
        raise ConflictError(
            "The same request is under way, or was broken off so that nobody knows how it ended. "
            "See whether it was done; if not, send it with another key.",
            "under-way",
        )
    return found


def _keep(begun: IdempotentRequest, response: Response, secrets: Collection[str]) -> None:
    body = response.data
    if isinstance(body, dict):
        body = {name: None if name in secrets else value for name, value in body.items()}
    begun.body, begun.status = (
        json.loads(JSONRenderer().render(body) or "null"),
        response.status_code,
    )
    begun.save(update_fields=["body", "status"])


def _again(kept: IdempotentRequest) -> Response:
    return Response(kept.body, status=kept.status, headers={"Idempotency-Replayed": "true"})


def drop_old() -> int:
    """Forget requests of more than a day ago; return how many."""
    old = IdempotentRequest.objects.filter(created_at__lt=clock.now() - KEPT)
    chosen = list(old.order_by("pk").values_list("pk", flat=True)[:1000])
    return IdempotentRequest.objects.filter(pk__in=chosen).delete()[0]
