"""Vaults: their list, what they hold and how they stand, what happened in them."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import actor_of
from accounts.customer_api.paging import page
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.schema import PAGE, errors
from accounts.customer_api.views import ApiView
from storage.customer_api import shapes, visible
from storage.models import Vault, VaultEvent
from storage.vault_status import overview
from storage.vault_status.protection import Standing
from storage.vaults.enrolment import VaultNameTakenError, rename_vault

_STATES = {Standing.AT_RISK: "at-risk", Standing.INCOMPLETE: "at-risk"}


class VaultChange(serializers.Serializer[Any]):
    """What may be changed of a vault."""

    name = serializers.CharField(max_length=100)


class VaultsView(ApiView):
    """All vaults."""

    @extend_schema(
        operation_id="vaults_list",
        summary="List vaults",
        tags=["vaults"],
        parameters=PAGE,
        responses={200: shapes.VaultPage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List the vaults that the token sees, the newest first."""
        return page(request, visible.vaults(request), shown)


class VaultView(ApiView):
    """One vault."""

    @extend_schema(
        operation_id="vaults_get",
        summary="Get a vault",
        tags=["vaults"],
        responses={200: shapes.VaultShape, **errors(401, 403, 404)},
    )
    def get(self, request: Request, vault_id: str) -> Response:
        """Tell how a vault stands and what it holds."""
        return Response(shown([visible.vault(request, vault_id)])[0])

    @extend_schema(
        operation_id="vaults_rename",
        summary="Rename a vault",
        tags=["vaults"],
        request=VaultChange,
        responses={200: shapes.VaultShape, **errors(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, vault_id: str) -> Response:
        """Give a vault another name; its address stays."""
        vault = visible.vault(request, vault_id, to_change=True)
        said = VaultChange(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            rename_vault(vault, name=said.validated_data["name"], actor=actor_of(request))
        except VaultNameTakenError as error:
            raise ConflictError(
                "The account has a vault of this name already.", "name-taken"
            ) from error
        return Response(shown([visible.vault(request, vault_id)])[0])


class EventsView(ApiView):
    """What happened in a vault."""

    @extend_schema(
        operation_id="vaults_events",
        summary="List what happened in a vault",
        tags=["vaults"],
        parameters=PAGE,
        responses={200: shapes.EventPage, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, vault_id: str) -> Response:
        """List backups, refusals and removals, the newest first."""
        vault = visible.vault(request, vault_id)
        events = VaultEvent.objects.filter(vault=vault).select_related("credential")
        return page(request, events, _events)


def shown(vaults: Sequence[Vault]) -> list[dict[str, Any]]:
    """Return vaults of one account as the API tells them, in a fixed number of queries."""
    if not vaults:
        return []
    plan = overview.plan_of(vaults[0].account)
    return [_vault(one) for one in overview.overview(vaults, plan)]


def _vault(one: overview.VaultOverview) -> dict[str, Any]:
    vault, device = one.vault, one.vault.device
    state = _STATES.get(one.protection.standing, one.protection.standing.slug)
    if vault.is_new:
        state = "setup"
    elif device is not None and device.retired_at is not None:
        state = "retired"
    return {
        "id": vault.public_id,
        "name": vault.name,
        "state": state,
        "reason": one.protection.reason,
        "device": device.public_id if device else None,
        "address": vault.url,
        "created_at": vault.created_at,
        "last_backup_at": vault.last_snapshot_at,
        "snapshots": one.figures.snapshots,
        "bytes": one.figures.bytes,
        "copies": one.copies,
    }


def _events(events: Sequence[VaultEvent]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(event.pk),
            "kind": event.kind,
            "at": event.last_at,
            "first_at": event.first_at,
            "count": event.count,
            "status": event.status,
            "text": event.text,
            "credential": event.credential.prefix if event.credential else None,
            "snapshots": event.snapshots,
            "bytes": event.bytes,
            "seconds": event.seconds,
            "unread": event.unread,
        }
        for event in events
    ]
