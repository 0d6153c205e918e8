"""What opens a vault: making, listing and revoking credentials."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import actor_of, require_full
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.paging import page
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.schema import IDEMPOTENT, PAGE, NameField, Shape, errors, example
from accounts.customer_api.views import ApiView
from storage.customer_api import shapes, visible
from storage.models import Credential
from storage.vaults import credentials, devices


@example({"label": "Server room, restic"})
class CredentialChange(Shape):
    """What a credential is called."""

    label = NameField(max_length=100, allow_blank=True)  # type: ignore[assignment]  # a field's name


@example({"scope": "backup", "label": "Server room, restic"})
class CredentialRequest(Shape):
    """What a new credential may do, and what it is called."""

    scope = serializers.ChoiceField(choices=Credential.Scope.values)
    label = NameField(  # type: ignore[assignment]  # a field's name
        max_length=100, allow_blank=True, required=False
    )


class CredentialsView(ApiView):
    """A vault's credentials."""

    @extend_schema(
        operation_id="credentials_list",
        summary="List a vault's credentials",
        tags=["credentials"],
        parameters=PAGE,
        responses={200: shapes.CredentialPage, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, vault_id: str) -> Response:
        """List them without their secrets, the newest first."""
        found = Credential.objects.filter(vault=visible.vault(request, vault_id))
        return page(request, found, shown)

    @extend_schema(
        operation_id="credentials_create",
        summary="Make a credential",
        tags=["credentials"],
        parameters=IDEMPOTENT,
        request=CredentialRequest,
        responses={201: shapes.NewCredentialShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent(secrets=("secret",))
    def post(self, request: Request, vault_id: str) -> Response:
        """Make a credential. Its secret is in this answer and nowhere else.

        One of scope `maintain`, which removes backups, takes a token of full scope.
        """
        vault = visible.vault(request, vault_id, to_change=True)
        said = checked(CredentialRequest, request)
        require_scope(request, said["scope"])
        try:
            device = devices.device_for(vault, said["scope"])
            made = credentials.create(vault, **said, actor=actor_of(request), device=device)
        except credentials.TooManyCredentialsError as error:
            raise ConflictError(str(error), "limit") from error
        told = shown([made.credential])[0] | {"secret": made.secret, "address": vault.url}
        return Response(told, status=status.HTTP_201_CREATED)


class CredentialView(ApiView):
    """One credential."""

    @extend_schema(
        operation_id="credentials_rename",
        summary="Give a credential another label",
        tags=["credentials"],
        request=CredentialChange,
        responses={200: shapes.CredentialShape, **errors(400, 401, 403, 404)},
    )
    def patch(self, request: Request, vault_id: str, username: str) -> Response:
        """Call a credential otherwise; what it signs in with stays."""
        found = visible.credential(request, vault_id, username)
        said = checked(CredentialChange, request)
        credentials.rename(found, label=said["label"], actor=actor_of(request))
        return Response(shown([found])[0])

    @extend_schema(
        operation_id="credentials_revoke",
        summary="Revoke a credential",
        tags=["credentials"],
        responses={204: None, **errors(401, 403, 404)},
    )
    def delete(self, request: Request, vault_id: str, username: str) -> Response:
        """End a credential at once; what it stored stays. Repeating it does nothing."""
        found = visible.credential(request, vault_id, username)
        credentials.revoke(found, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def require_scope(request: Request, scope: str) -> None:
    """Raise PermissionDenied for a token that hands out no credential of that scope."""
    if scope == Credential.Scope.MAINTAIN:
        require_full(request)


def shown(found: Sequence[Credential]) -> list[dict[str, Any]]:
    """Return credentials as the API tells them, without their secrets."""
    return [
        {
            "username": one.prefix,
            "label": one.label,
            "scope": one.scope,
            "created_at": one.created_at,
            "last_used_at": one.last_used_at,
            "revoked_at": one.revoked_at,
            "ends_at": one.ends_at,
            "keys_until": one.keys_until,
        }
        for one in found
    ]
