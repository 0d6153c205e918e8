"""Vaults: their list, what they hold and how they stand, what happened in them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import actor_of
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.paging import page
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.schema import IDEMPOTENT, PAGE, NameField, Shape, errors, example
from accounts.customer_api.views import ApiView
from backup_service import clock
from storage.customer_api import shapes, visible
from storage.deletion.vaults import VaultInUseError, delete_vault, give_up_lost
from storage.models import Vault, VaultEvent
from storage.rewind import history
from storage.vault_status import overview
from storage.vault_status.protection import Standing, judge
from storage.vaults.enrolment import VaultNameTakenError, rename_vault
from storage.vaults.expectations import LEAST, MOST, expect_every
from storage.vaults.recovery_point import lost_of

# Programs are promised few words, and no new one for this: look at it.
_STATES = {Standing.INCOMPLETE: "at-risk"}

AN_HOUR = timedelta(hours=1)


@example({"name": "Laptop of Anna", "expected_hours": 24})
class VaultChange(Shape):
    """What is to change of a vault; the rest stays."""

    name = NameField(max_length=100, required=False)
    expected_hours = serializers.IntegerField(
        min_value=LEAST // AN_HOUR,
        max_value=MOST // AN_HOUR,
        allow_null=True,
        required=False,
        help_text="How often backups are to come; null: as they have come",
    )


@example({"given_up": 3, "left": 0})
class GivenUpShape(Shape):
    """What was taken off the list of lost objects."""

    given_up = serializers.IntegerField()
    left = serializers.IntegerField(help_text="Still on it; do it again for those")


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
        operation_id="vaults_change",
        summary="Rename a vault, or say how often backups are to come",
        tags=["vaults"],
        request=VaultChange,
        responses={200: shapes.VaultShape, **errors(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, vault_id: str) -> Response:
        """Change a vault's name, by what it is judged to be late, or both; its address stays."""
        vault = visible.vault(request, vault_id, to_change=True)
        _change(vault, checked(VaultChange, request), request)
        return Response(shown([visible.vault(request, vault_id)])[0])

    @extend_schema(
        operation_id="vaults_delete",
        summary="Delete a vault that was never set up",
        tags=["vaults"],
        responses={204: None, **errors(401, 403, 404, 409)},
    )
    def delete(self, request: Request, vault_id: str) -> Response:
        """Delete a vault in which nobody has ever stored a backup; of others ask `deletion/`."""
        try:
            delete_vault(visible.vault(request, vault_id, to_change=True), actor=actor_of(request))
        except VaultInUseError as error:
            told = (
                f"{error} Ask for its deletion at {request.path}deletion/, which can be taken back."
            )
            raise ConflictError(told, "in-use") from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class LostView(ApiView):
    """What is lost of a vault."""

    @extend_schema(
        operation_id="vaults_give_up_lost",
        summary="Take lost objects off a vault's list",
        tags=["vaults"],
        parameters=IDEMPOTENT,
        request=None,
        responses={200: GivenUpShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, vault_id: str) -> Response:
        """Give up what no good copy is left of, 500 objects at a time; keys and config stay."""
        vault = visible.vault(request, vault_id, to_change=True)
        count = give_up_lost(vault, actor=actor_of(request))
        return Response({"given_up": count, "left": lost_of(vault).count})


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


@transaction.atomic
def _change(vault: Vault, said: dict[str, Any], request: Request) -> None:
    """Make all changes that are asked for, or none. Raises ConflictError."""
    if "name" in said:
        try:
            rename_vault(vault, name=said["name"], actor=actor_of(request))
        except VaultNameTakenError as error:
            raise ConflictError(
                "The account has a vault of this name already.", "name-taken"
            ) from error
    if "expected_hours" in said:
        hours = said["expected_hours"]
        interval = None if hours is None else hours * AN_HOUR
        expect_every(vault, interval, actor=actor_of(request))


def shown(vaults: Sequence[Vault]) -> list[dict[str, Any]]:
    """Return vaults of one account as the API tells them, in a fixed number of queries."""
    if not vaults:
        return []
    plan = overview.plan_of(vaults[0].account)
    return [_vault(one) for one in overview.overview(vaults, plan)]


def _vault(one: overview.VaultOverview) -> dict[str, Any]:
    vault, device = one.vault, one.vault.device
    standing = one.protection.standing
    if standing is Standing.CLOSED:  # which is the account's state; `reason` says it
        standing = judge(replace(one.figures, is_closed=False), clock.now()).standing
    state = _STATES.get(standing, standing.slug)
    if vault.deletion_asked_at is not None:
        state = "deleting"
    elif vault.is_new:
        state = "setup"
    elif one.figures.is_retired:
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
        "expected_hours": vault.expected_interval // 3600 or None,
        "late_from": vault.late_from,
        "snapshots": one.figures.snapshots,
        "bytes": one.figures.bytes,
        "copies": one.copies,
        "lost": one.figures.lost,
        "deletion_asked_at": vault.deletion_asked_at,
        "kept_until": vault.kept_until,
    }


def _events(events: Sequence[VaultEvent]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(event.pk),
            "kind": event.kind,
            "at": event.last_at,
            "first_at": event.first_at,
            "before": history.before(event) if event.kind in VaultEvent.REMOVALS else None,
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
