"""The audit log: what was done in the account, by whom, and from where."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Seat
from accounts.customer_api.authentication import access_of, require
from accounts.customer_api.paging import page
from accounts.customer_api.resources import shapes
from accounts.customer_api.schema import PAGE, Shape, errors
from accounts.customer_api.views import ApiView
from accounts.models import AuditEvent
from accounts.roles import Right
from accounts.texts import is_plain
from accounts.website import activity_csv, history
from accounts.website.activity_filter import Asked, narrowed

_KINDS = AuditEvent.Kind.values


class ActivityQuery(Shape):
    """What the audit log may be narrowed to."""

    since = serializers.DateTimeField(
        required=False, default_timezone=UTC, help_text="Not before this moment"
    )
    until = serializers.DateTimeField(
        required=False, default_timezone=UTC, help_text="Before this moment"
    )
    action = serializers.CharField(
        required=False,
        max_length=60,
        help_text="As `vault.rename`, or the first word of it, as `vault`",
    )
    by = serializers.ChoiceField(required=False, choices=_KINDS, help_text="Who, by kind")
    person = serializers.CharField(required=False, max_length=254, help_text="An e-mail address")
    credential = serializers.CharField(
        required=False, max_length=40, help_text="The readable part of a credential or token"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what no database takes."""
        if not all(is_plain(value) for value in attrs.values() if isinstance(value, str)):
            raise serializers.ValidationError("No text has such characters.")
        return attrs


_NARROWED = [
    OpenApiParameter(
        name,
        OpenApiTypes.DATETIME if isinstance(field, serializers.DateTimeField) else OpenApiTypes.STR,
        description=str(field.help_text),
        enum=_KINDS if name == "by" else None,
    )
    for name, field in ActivityQuery().fields.items()
]


class ActivityView(ApiView):
    """The audit log, a page at a time."""

    @extend_schema(
        operation_id="activity_list",
        summary="List what was done",
        tags=["activity"],
        parameters=[*PAGE, *_NARROWED],
        responses={200: shapes.ActivityPage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List the audit log, the newest first; a member who sees no more, their own part of it."""
        account = access_of(request).account
        members = set(account.memberships.values_list("user", flat=True))
        events = _events(request).select_related("actor")
        return page(request, events, lambda found: _shown(found, members))


class ActivityTableView(ApiView):
    """The audit log as a table."""

    @extend_schema(
        operation_id="activity_export",
        summary="Get what was done as a table",
        tags=["activity"],
        parameters=_NARROWED,
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="CSV in UTF-8"),
            **errors(400, 401, 403),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Return the same as CSV, all of it: with each row's number and hash in its chain."""
        rows = activity_csv.rows(access_of(request).account, _events(request))
        response = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="nightsafe-activity.csv"'
        return response


def _events(request: Request) -> QuerySet[AuditEvent]:
    """Return what the token sees of the log, narrowed. Raises PermissionDenied, ValidationError.

    What a token lacks of its member's rights it does not get here either.
    """
    access = require(request, Right.SEE_OWN_ACTIVITY)
    query = ActivityQuery(data=dict(request.query_params.items()))
    query.is_valid(raise_exception=True)
    return narrowed(history.events_seen_by(Seat(access.membership)), Asked(**query.validated_data))


def _shown(found: Sequence[AuditEvent], members: set[int]) -> list[dict[str, Any]]:
    return [_event(one, members) for one in found]


def _event(event: AuditEvent, members: set[int]) -> dict[str, Any]:
    entry = history.entry(event, members)
    by_staff = entry.who == history.STAFF
    return {
        "id": event.pk,
        "at": event.at,
        "by": AuditEvent.Kind.STAFF.value if by_staff else event.actor_kind,
        "who": entry.who,
        "credential": event.credential,
        "address": entry.address,
        "action": event.verb,
        "text": entry.what,
        "subject": event.subject,
        "vault": entry.vault,
        "number": event.number,
        "sha256": event.digest,
    }
