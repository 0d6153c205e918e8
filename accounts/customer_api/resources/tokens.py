"""API tokens: which there are, and revoking them.

No program makes one: whoever got hold of a token would else keep another one after it is revoked.
"""

from collections.abc import Sequence
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import actor_of, require
from accounts.customer_api.paging import page
from accounts.customer_api.resources import shapes
from accounts.customer_api.schema import PAGE, errors
from accounts.customer_api.views import ApiView
from accounts.models import ApiToken
from accounts.roles import Right
from accounts.tokens import tokens


class TokensView(ApiView):
    """All tokens."""

    @extend_schema(
        operation_id="tokens_list",
        summary="List API tokens",
        tags=["tokens"],
        parameters=PAGE,
        responses={200: shapes.TokenPage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List the account's tokens, revoked ones too. They are made on the website only."""
        account = require(request, Right.CHANGE_TOKENS).account
        return page(request, tokens.tokens_of(account), _shown)


class TokenView(ApiView):
    """One token."""

    @extend_schema(
        operation_id="tokens_revoke",
        summary="Revoke an API token",
        tags=["tokens"],
        responses={204: None, **errors(401, 403, 404)},
    )
    def delete(self, request: Request, token_prefix: str) -> Response:
        """End a token at once, the request's own one too. Repeating it does nothing."""
        account = require(request, Right.CHANGE_TOKENS).account
        found = get_object_or_404(tokens.tokens_of(account), prefix=token_prefix)
        tokens.revoke(found, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _shown(found: Sequence[ApiToken]) -> list[dict[str, Any]]:
    return [
        {
            "prefix": one.prefix,
            "label": one.label,
            "scope": one.scope,
            "member": one.membership.user.email if one.membership else None,
            "created_at": one.created_at,
            "expires_at": one.expires_at,
            "last_used_at": one.last_used_at,
            "revoked_at": one.revoked_at,
        }
        for one in found
    ]
