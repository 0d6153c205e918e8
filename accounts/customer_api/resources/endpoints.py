"""Endpoints: the customer's own systems that get the account's notices."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import account_of, actor_of, require
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.paging import page
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.resources import shapes
from accounts.customer_api.schema import IDEMPOTENT, PAGE, NameField, Shape, errors, example
from accounts.customer_api.views import ApiView
from accounts.models import Delivery, Endpoint
from accounts.notifications import endpoints
from accounts.notifications.public_http import RefusedAddressError
from accounts.notifications.tokens import shown_key
from accounts.roles import Right
from accounts.topics import Topic

SENT_AGAIN = 100  # deliveries at a time


@example({"name": "Pager", "url": "https://pager.example.org/hook", "topics": ["backups"]})
class EndpointChange(Shape):
    """How an endpoint is to be."""

    name = NameField(max_length=100)
    url = serializers.CharField(max_length=500, help_text="It begins with https://")
    topics = serializers.ListField(
        child=serializers.ChoiceField(choices=Topic.values), max_length=len(Topic)
    )

    def validate_topics(self, topics: list[str]) -> list[str]:
        """Keep each once."""
        return list(dict.fromkeys(topics))


@example(
    {
        "kind": "webhook",
        "name": "Pager",
        "url": "https://pager.example.org/hook",
        "topics": ["backups", "security"],
    }
)
class EndpointRequest(EndpointChange):
    """An endpoint to add."""

    kind = serializers.ChoiceField(choices=Endpoint.Kind.values)


class EndpointsView(ApiView):
    """All endpoints."""

    @extend_schema(
        operation_id="endpoints_list",
        summary="List endpoints",
        tags=["notifications"],
        parameters=PAGE,
        responses={200: shapes.EndpointPage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List the systems that get notices, without the keys that they are signed with."""
        account = require(request, Right.CHANGE_ACCOUNT).account
        return page(request, endpoints.endpoints_of(account), _shown)

    @extend_schema(
        operation_id="endpoints_create",
        summary="Add an endpoint",
        tags=["notifications"],
        parameters=IDEMPOTENT,
        request=EndpointRequest,
        responses={201: shapes.NewEndpointShape, **errors(400, 401, 403, 409, 422)},
    )
    @idempotent(secrets=("key",))
    def post(self, request: Request) -> Response:
        """Add a system. The key that a webhook's messages are signed with is in this answer."""
        account = require(request, Right.CHANGE_ACCOUNT).account
        said = checked(EndpointRequest, request)
        try:
            with _addresses():
                made = endpoints.add(
                    account, kind=said["kind"], chosen=_chosen(said), actor=actor_of(request)
                )
        except endpoints.TooManyEndpointsError as error:
            raise ConflictError(
                f"An account has at most {endpoints.MAX_ENDPOINTS}; remove one first.", "limit"
            ) from error
        return Response(_with_key(made), status=status.HTTP_201_CREATED)


class EndpointView(ApiView):
    """One endpoint."""

    @extend_schema(
        operation_id="endpoints_get",
        summary="Get an endpoint",
        tags=["notifications"],
        responses={200: shapes.EndpointShape, **errors(401, 403, 404)},
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """Tell what an endpoint gets, and whether it works."""
        return Response(_shown([_endpoint(request, endpoint_id)])[0])

    @extend_schema(
        operation_id="endpoints_change",
        summary="Change an endpoint",
        tags=["notifications"],
        request=EndpointChange,
        responses={200: shapes.EndpointShape, **errors(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        """Give an endpoint another name, address and topics; all three are sent."""
        found, said = _endpoint(request, endpoint_id), checked(EndpointChange, request)
        with _addresses():
            endpoints.change(found, chosen=_chosen(said), actor=actor_of(request))
        return Response(_shown([_endpoint(request, endpoint_id)])[0])

    @extend_schema(
        operation_id="endpoints_remove",
        summary="Remove an endpoint",
        tags=["notifications"],
        responses={204: None, **errors(401, 403, 404)},
    )
    def delete(self, request: Request, endpoint_id: str) -> Response:
        """Send nothing more to an endpoint."""
        endpoints.remove(_endpoint(request, endpoint_id), actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class EndpointTestView(ApiView):
    """A test of an endpoint."""

    @extend_schema(
        operation_id="endpoints_test",
        summary="Send a test to an endpoint",
        tags=["notifications"],
        parameters=IDEMPOTENT,
        request=None,
        responses={202: None, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Have a test sent, at most one a minute; its outcome is among the deliveries."""
        if not endpoints.send_test(_endpoint(request, endpoint_id)):
            raise ConflictError("A test was sent a moment ago; wait a minute.", "too-soon")
        return Response(status=status.HTTP_202_ACCEPTED)


class EndpointKeyView(ApiView):
    """The key of an endpoint."""

    @extend_schema(
        operation_id="endpoints_rotate_key",
        summary="Give an endpoint another key",
        tags=["notifications"],
        parameters=IDEMPOTENT,
        request=None,
        responses={200: shapes.NewEndpointShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent(secrets=("key",))
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Sign with another key from now on, which is in this answer; the former one ends."""
        found = _endpoint(request, endpoint_id)
        if found.kind != Endpoint.Kind.WEBHOOK:
            raise ConflictError("Only what is sent to webhooks is signed.")
        endpoints.renew_key(found, actor=actor_of(request))
        return Response(_with_key(found))


class DeliveriesView(ApiView):
    """What an endpoint was sent."""

    @extend_schema(
        operation_id="endpoints_deliveries",
        summary="List what an endpoint was sent",
        tags=["notifications"],
        parameters=PAGE,
        responses={200: shapes.DeliveryPage, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """List the deliveries to an endpoint, the newest first."""
        sent = Delivery.objects.filter(endpoint=_endpoint(request, endpoint_id))
        return page(request, sent.select_related("notice"), _deliveries)

    @extend_schema(
        operation_id="endpoints_send_again",
        summary="Send again what was given up",
        tags=["notifications"],
        parameters=IDEMPOTENT,
        request=None,
        responses={202: shapes.SentAgainShape, **errors(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Have deliveries that were given up made once more, 100 at a time, the oldest first."""
        found = _endpoint(request, endpoint_id)
        given_up = found.deliveries.filter(state=Delivery.State.FAILED).order_by("pk")
        count = sum(endpoints.send_again(one) for one in given_up[:SENT_AGAIN])
        return Response({"deliveries": count}, status=status.HTTP_202_ACCEPTED)


def _endpoint(request: Request, endpoint_id: str) -> Endpoint:
    require(request, Right.CHANGE_ACCOUNT)
    return get_object_or_404(endpoints.endpoints_of(account_of(request)), public_id=endpoint_id)


def _chosen(said: dict[str, Any]) -> endpoints.Settings:
    return endpoints.Settings(said["name"], said["url"].strip(), said["topics"])


@contextmanager
def _addresses() -> Iterator[None]:
    """Turn the refusal of an address into a problem with its field."""
    try:
        yield
    except RefusedAddressError as error:
        text = str(error)
        raise ValidationError({"url": f"{text[:1].upper()}{text[1:]}."}) from error


def _with_key(endpoint: Endpoint) -> dict[str, Any]:
    is_signed = endpoint.kind == Endpoint.Kind.WEBHOOK
    return _shown([endpoint])[0] | {"key": shown_key(endpoint) if is_signed else None}


def _shown(found: Sequence[Endpoint]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.public_id,
            "kind": one.kind,
            "name": one.name,
            "url": one.url,
            "topics": one.topics,
            "created_at": one.created_at,
            "worked_at": one.worked_at,
            "failing_since": one.failing_since,
            "error": one.error,
        }
        for one in found
    ]


def _deliveries(found: Sequence[Delivery]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.pk,
            "notice": one.notice_id,
            "kind": one.notice.kind,
            "state": one.state,
            "attempts": one.attempts,
            "next_attempt_at": one.next_attempt_at if one.state == Delivery.State.WAITING else None,
            "sent_at": one.sent_at,
            "error": one.error,
        }
        for one in found
    ]
