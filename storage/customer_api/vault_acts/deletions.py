"""Deleting a vault with its backups after the grace period, and keeping it after all.

What the page asks is asked here: the vault's name, and who it is. A program cannot prove that, so
it brings a token of full scope, whose maker has.
"""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.closed_accounts import ClosedAccountError
from accounts.customer_api.authentication import actor_of, require_full
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.schema import IDEMPOTENT, Shape, errors, example
from accounts.customer_api.views import ApiView
from storage.customer_api import shapes, vaults, visible
from storage.customer_api.vault_acts.confirmation import Confirmation, require_meant
from storage.deletion import whole_vaults
from storage.deletion.vaults import VaultInUseError
from storage.rewind.kept_vaults import keep
from storage.rewind.requests import UndeleteError


@example({"undelete": 12})
class KeptShape(Shape):
    """A vault that stays."""

    undelete = serializers.IntegerField(
        allow_null=True, help_text="The undelete that brings back what was removed for the deletion"
    )


class DeletionView(ApiView):
    """The deletion of a vault with its backups."""

    @extend_schema(
        operation_id="vaults_ask_deletion",
        summary="Have a vault deleted with all its backups",
        tags=["vaults"],
        parameters=IDEMPOTENT,
        request=Confirmation,
        responses={202: shapes.VaultShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, vault_id: str) -> Response:
        """Delete a vault once 30 days are over; until then it can be kept, as it was.

        From now on nothing is stored in it, and the account's people are told; to restore from it
        once its objects are removed, which takes minutes, keep it first. It takes a token of full
        scope. Asking again changes nothing.
        """
        vault = visible.vault(request, vault_id, to_change=True)
        require_full(request)
        require_meant(vault, checked(Confirmation, request)["confirm"])
        if vault.is_new:
            raise ConflictError("This vault was never set up, so there is nothing to wait for.")
        try:
            whole_vaults.ask(vault, actor=actor_of(request))
        except VaultInUseError as error:
            raise ConflictError(str(error), "in-use") from error
        told = vaults.shown([visible.vault(request, vault_id)])[0]
        return Response(told, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        operation_id="vaults_keep",
        summary="Keep a vault whose deletion was asked for",
        tags=["vaults"],
        responses={200: KeptShape, **errors(401, 403, 404, 409)},
    )
    def delete(self, request: Request, vault_id: str) -> Response:
        """Take the deletion back: everything comes back as it was. Repeating it does nothing."""
        vault = visible.vault(request, vault_id, to_change=True)
        if vault.account.is_closed:
            raise ClosedAccountError
        try:
            back = keep(vault, actor=actor_of(request))
        except UndeleteError as error:
            raise ConflictError(str(error), "too-late") from error
        return Response({"undelete": back.pk if back else None})
