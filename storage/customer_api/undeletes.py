"""What was removed from a vault: saying that it was meant, and bringing it back.

On the website people prove for both who they are. A program cannot: so its token is one of whoever
runs the account, and it names the vault that it means.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import actor_of
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.paging import page
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.schema import IDEMPOTENT, PAGE, Shape, errors, example
from accounts.customer_api.views import ApiView
from storage.customer_api import undelete_shapes, visible
from storage.customer_api.vault_acts.confirmation import Confirmation, require_meant
from storage.events import wipes
from storage.models import Undelete, Vault
from storage.rewind import requests, worker
from storage.rewind.requests import MOST_SNAPSHOTS, UndeleteError, Wanted


@example({"to": "2026-05-01T11:59:59.999999Z"})
class UndeleteWish(Shape):
    """What to bring back: all of a moment, chosen snapshots, or what a credential removed."""

    to = serializers.DateTimeField(
        required=False,
        default_timezone=UTC,
        help_text="The moment, within the last 30 days; with `credential` what it removed since",
    )
    snapshots = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=MOST_SNAPSHOTS,
        required=False,
        help_text="Names, or how they begin; without `to` as they were last",
    )
    credential = serializers.CharField(
        max_length=20, required=False, help_text="A user name: undo what it has removed"
    )


@example({"to": "2026-05-01T11:59:59.999999Z", "confirm": "laptop"})
class UndeleteRequest(UndeleteWish):
    """What to bring back, and the vault that is meant."""

    confirm = serializers.CharField(max_length=100, help_text="The vault's name, as it is now")


class UndeletePlanView(ApiView):
    """What would come back."""

    @extend_schema(
        operation_id="undeletes_plan",
        summary="Say what would come back",
        tags=["undelete"],
        request=UndeleteWish,
        responses={200: undelete_shapes.UndeletePlanShape, **errors(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, vault_id: str) -> Response:
        """Plan an undelete and change nothing."""
        vault = visible.vault_of_owner(request, vault_id)
        with _problems():
            plan = requests.plan(vault, _wanted(checked(UndeleteWish, request)))
        return Response(
            {
                "objects": plan.objects,
                "snapshots": plan.snapshots,
                "bytes": plan.bytes,
                "purged": plan.purged,
                "keys_left_out": plan.keys_left_out,
                "over_quota": plan.over,
            }
        )


class UndeletesView(ApiView):
    """A vault's undeletes."""

    @extend_schema(
        operation_id="undeletes_list",
        summary="List undeletes",
        tags=["undelete"],
        parameters=PAGE,
        responses={200: undelete_shapes.UndeletePage, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, vault_id: str) -> Response:
        """List what was brought back into a vault, or is being brought back."""
        return page(request, _rows(visible.vault(request, vault_id)), _shown)

    @extend_schema(
        operation_id="undeletes_start",
        summary="Bring back what was removed",
        tags=["undelete"],
        parameters=IDEMPOTENT,
        request=UndeleteRequest,
        responses={202: undelete_shapes.UndeleteShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, vault_id: str) -> Response:
        """Have it brought back; over the quota that leaves the vault read-only."""
        vault = visible.vault_of_owner(request, vault_id)
        said = checked(UndeleteRequest, request)
        require_meant(vault, said["confirm"])
        with _problems():
            row = requests.request(vault, _wanted(said), actor=actor_of(request))
        return Response(_shown([row])[0], status=status.HTTP_202_ACCEPTED)


class UndeleteView(ApiView):
    """One undelete."""

    @extend_schema(
        operation_id="undeletes_get",
        summary="Get how far an undelete is",
        tags=["undelete"],
        responses={200: undelete_shapes.UndeleteShape, **errors(401, 403, 404)},
    )
    def get(self, request: Request, vault_id: str, number: int) -> Response:
        """Tell what has come back so far, and once it is done what could not."""
        row = get_object_or_404(_rows(visible.vault(request, vault_id)), pk=number)
        return Response(_shown([row])[0])


class AcceptRemovalView(ApiView):
    """A removal of nearly everything."""

    @extend_schema(
        operation_id="vaults_accept_removal",
        summary="Say that the removal of nearly everything was meant",
        tags=["undelete"],
        parameters=IDEMPOTENT,
        request=Confirmation,
        responses={200: undelete_shapes.AcceptedShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, vault_id: str) -> Response:
        """End a vault's being at risk for that reason: it is judged by its backups again."""
        vault = visible.vault_of_owner(request, vault_id)
        require_meant(vault, checked(Confirmation, request)["confirm"])
        return Response({"was_at_risk": wipes.acknowledge(vault, actor=actor_of(request))})


def _rows(vault: Vault) -> Any:
    return Undelete.objects.filter(vault=vault).select_related("credential")


def _wanted(said: dict[str, Any]) -> Wanted:
    return Wanted(
        moment=said.get("to"),
        snapshots=said.get("snapshots", ()),
        credential=said.get("credential", ""),
    )


@contextmanager
def _problems() -> Iterator[None]:
    """Turn what cannot be brought back into a problem."""
    try:
        yield
    except UndeleteError as error:
        raise ConflictError(str(error), "cannot-undelete") from error


def _shown(found: Sequence[Undelete]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.pk,
            "what": requests.described(one),
            "by": one.actor_label,
            "created_at": one.created_at,
            "ended_at": one.ended_at,
            "expected": one.expected,
            "objects": one.revived,
            "snapshots": one.revived_snapshots,
            "bytes": one.revived_bytes,
            "lost": one.lost,
            "purged": one.purged,
            "text": worker.sentence(one),
        }
        for one in found
    ]
