"""A vault's snapshots: those that are there, and those that can come back."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.paging import page
from accounts.customer_api.schema import PAGE, Shape, errors, example, page_of
from accounts.customer_api.views import ApiView
from storage.customer_api import visible
from storage.models import StoredObject
from storage.rewind import history


@example(
    {
        "name": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "at": "2026-05-01T02:13:00Z",
        "credential": "nsq2w4e6r8t0y2u4",
        "bytes_added": 41_000_000,
        "removed_at": None,
        "removed_by": None,
        "kept_until": None,
    }
)
class SnapshotShape(Shape):
    """A snapshot, as far as the service knows it: what is in it, only its owner can read."""

    name = serializers.CharField(help_text="Its id for restic")
    at = serializers.DateTimeField(help_text="When it came")
    credential = serializers.CharField(allow_null=True, help_text="With which it came")
    bytes_added = serializers.IntegerField(
        allow_null=True, help_text="That came with its run; null where that is not on record"
    )
    removed_at = serializers.DateTimeField(allow_null=True)
    removed_by = serializers.CharField(allow_null=True, help_text="The credential")
    kept_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when it can be brought back"
    )


SnapshotPage = page_of(SnapshotShape)


class SnapshotsView(ApiView):
    """A vault's snapshots."""

    @extend_schema(
        operation_id="snapshots_list",
        summary="List a vault's snapshots",
        tags=["snapshots"],
        parameters=PAGE,
        responses={200: SnapshotPage, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, vault_id: str) -> Response:
        """List snapshots that are there, and removed ones that can be brought back."""
        vault = visible.vault(request, vault_id)

        def shown(found: Sequence[StoredObject]) -> list[dict[str, Any]]:
            rows = history.snapshots_of(vault).filter(pk__in=[one.pk for one in found])
            return [_snapshot(history.shown(one)) for one in rows.order_by("-pk")]

        # Which are on the page is asked of an index alone: a vault may have very many.
        return page(request, history.keys_of_snapshots(vault), shown)


def _snapshot(one: history.Snapshot) -> dict[str, Any]:
    return {
        "name": one.name,
        "at": one.came_at,
        "credential": one.came_by or None,
        "bytes_added": one.added,
        "removed_at": one.removed_at,
        "removed_by": one.removed_by or None,
        "kept_until": one.kept_until,
    }
