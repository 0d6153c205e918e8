"""What is done with a vault's credentials with care: set-up, replacing one, changing keys."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import actor_of, require_full
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.schema import IDEMPOTENT, Shape, errors, example
from accounts.customer_api.views import ApiView
from storage.customer_api import credentials as api
from storage.customer_api import shapes, visible
from storage.models import Credential
from storage.vaults import credential_changes
from storage.vaults.credential_changes import LONGEST_OVERLAP, NotInUseError
from storage.vaults.credentials import NewCredential, TooManyCredentialsError
from storage.vaults.enrolment import AlreadySetUpError, renew_setup

AN_HOUR = timedelta(hours=1)


@example({"hours": 24})
class RotationRequest(Shape):
    """When the credential that is replaced ends."""

    hours = serializers.IntegerField(
        min_value=0,
        max_value=LONGEST_OVERLAP // AN_HOUR,
        help_text="For which both are good; 0 where somebody else may have the old one",
    )


class SetUpView(ApiView):
    """The set-up of a vault."""

    @extend_schema(
        operation_id="vaults_set_up",
        summary="Make a credential that may set a vault up",
        tags=["credentials"],
        parameters=IDEMPOTENT,
        request=None,
        responses={201: shapes.NewCredentialShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent(secrets=("secret",))
    def post(self, request: Request, vault_id: str) -> Response:
        """Make what a vault that nobody has set up is set up with, within an hour.

        Its credentials that nothing has used end. The secret is in this answer and nowhere else.
        """
        vault = visible.vault(request, vault_id, to_change=True)
        try:
            made = renew_setup(vault, actor=actor_of(request))
        except AlreadySetUpError as error:
            raise ConflictError(str(error), "in-use") from error
        except TooManyCredentialsError as error:
            raise ConflictError(str(error), "limit") from error
        return Response(with_secret(made), status=status.HTTP_201_CREATED)


class RotationView(ApiView):
    """Another secret for a credential."""

    @extend_schema(
        operation_id="credentials_replace",
        summary="Replace a credential by a new one",
        tags=["credentials"],
        parameters=IDEMPOTENT,
        request=RotationRequest,
        responses={201: shapes.NewCredentialShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent(secrets=("secret",))
    def post(self, request: Request, vault_id: str, username: str) -> Response:
        """Make a credential that may do the same; the old one ends after some hours, or at once.

        The new secret is in this answer and nowhere else. For a credential of scope `maintain` it
        takes a token of full scope.
        """
        found = visible.credential(request, vault_id, username)
        api.require_scope(request, found.scope)
        overlap = checked(RotationRequest, request)["hours"] * AN_HOUR
        try:
            made = credential_changes.rotate(found, overlap=overlap, actor=actor_of(request))
        except NotInUseError as error:
            raise ConflictError(str(error), "not-in-use") from error
        except TooManyCredentialsError as error:
            raise ConflictError(str(error), "limit") from error
        return Response(with_secret(made), status=status.HTTP_201_CREATED)


class KeyWindowView(ApiView):
    """The time in which a credential may change its vault's keys."""

    @extend_schema(
        operation_id="credentials_open_keys",
        summary="Let a credential change the vault's keys for a while",
        tags=["credentials"],
        parameters=IDEMPOTENT,
        request=None,
        responses={200: shapes.CredentialShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, vault_id: str, username: str) -> Response:
        """Let it add and remove keys for half an hour, and no other credential of the vault.

        It takes a token of full scope.
        """
        found = visible.credential(request, vault_id, username)
        require_full(request)
        try:
            credential_changes.open_key_window(found, actor=actor_of(request))
        except NotInUseError as error:
            raise ConflictError(str(error), "not-in-use") from error
        return Response(_as_it_is_now(found))

    @extend_schema(
        operation_id="credentials_close_keys",
        summary="Let a credential change keys no longer",
        tags=["credentials"],
        responses={204: None, **errors(401, 403, 404)},
    )
    def delete(self, request: Request, vault_id: str, username: str) -> Response:
        """End that time now. Repeating it does nothing."""
        found = visible.credential(request, vault_id, username)
        credential_changes.close_key_window(found, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def with_secret(made: NewCredential) -> dict[str, Any]:
    """Return a credential just made, as the API tells it this once."""
    more = {"secret": made.secret, "address": made.credential.vault.url}
    return api.shown([made.credential])[0] | more


def _as_it_is_now(credential: Credential) -> dict[str, Any]:
    credential.refresh_from_db()
    return api.shown([credential])[0]
