"""Lets programs in by an API token in `Authorization: Bearer`, and by nothing else.

Not by the site's session: so no other site can make a browser do anything here.
"""

from django.core.exceptions import PermissionDenied
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import request_facts
from accounts.audit import Actor
from accounts.client_address import client_address
from accounts.models import Account, User
from accounts.roles import Right
from accounts.tokens.tokens import TokenAccess, actor_of_token, authenticate_token

REALM = 'Bearer realm="Nightsafe"'


class TokenAuthentication(BaseAuthentication):
    """Reads the token; a request without any is somebody unknown."""

    def authenticate(self, request: Request) -> tuple[User, TokenAccess] | None:
        """Return the member and what the token opens. Raises AuthenticationFailed."""
        header = request.headers.get("Authorization")
        if header is None:
            return None
        access = authenticate_token(header)
        if access is None:
            raise AuthenticationFailed("This token opens nothing, or no longer does.")
        request_facts.note(
            request._request,  # noqa: SLF001
            account=access.account.public_id,
            token=access.token.prefix,
        )
        return access.membership.user, access

    def authenticate_header(self, request: Request) -> str:
        """Return what 401 says is wanted."""
        return REALM


def access_of(request: Request) -> TokenAccess:
    """Return what the request's token opens."""
    if not isinstance(request.auth, TokenAccess):
        raise AuthenticationFailed("Send an API token: `Authorization: Bearer nst_...`.")
    return request.auth


def account_of(request: Request) -> Account:
    """Return the account that the request's token opens."""
    return access_of(request).account


def require(request: Request, right: Right) -> TokenAccess:
    """Return what the token opens. Raises PermissionDenied if that lacks a right."""
    access = access_of(request)
    if not access.may(right):
        raise PermissionDenied(
            f"With a token of scope {access.token.scope}, made by a member whose role is "
            f"{access.membership.role}, you may not {right}."
        )
    return access


def require_full(request: Request) -> TokenAccess:
    """Return what a token of full scope opens. Raises PermissionDenied for every other one.

    For what people prove for on the website who they are; the right to it is asked for as well.
    """
    access = access_of(request)
    if not access.is_full:
        raise PermissionDenied(
            f"On the website people prove who they are before that. With a token of scope "
            f"{access.token.scope} you may not do it: make one of full scope there."
        )
    return access


def actor_of(request: Request) -> Actor:
    """Return the actor for the audit log."""
    return actor_of_token(access_of(request), address=client_address(request._request))  # noqa: SLF001
