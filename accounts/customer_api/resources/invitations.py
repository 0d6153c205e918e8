"""Invitations: who is invited into the account. The link goes by mail and nowhere else."""

from collections.abc import Sequence
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import actor_of, require
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.paging import page
from accounts.customer_api.parsing import checked
from accounts.customer_api.resources import shapes
from accounts.customer_api.resources.members import refusals, seat_of_program
from accounts.customer_api.schema import IDEMPOTENT, PAGE, Shape, errors, example
from accounts.customer_api.views import ApiView
from accounts.members import invitations
from accounts.models import Invitation
from accounts.roles import BY_PROGRAM, Right
from accounts.website.seats.invitation_mail import send_invitation


@example({"email": "mia@example.org", "role": "member"})
class InvitationRequest(Shape):
    """Somebody to invite."""

    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=BY_PROGRAM)


class InvitationsView(ApiView):
    """All invitations."""

    @extend_schema(
        operation_id="invitations_list",
        summary="List invitations",
        tags=["members"],
        parameters=PAGE,
        responses={200: shapes.InvitationPage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List the invitations that can still be accepted, the newest first."""
        account = require(request, Right.SEE_MEMBERS).account
        return page(request, invitations.waiting_of(account), _shown)

    @extend_schema(
        operation_id="invitations_create",
        summary="Invite somebody",
        tags=["members"],
        parameters=IDEMPOTENT,
        request=InvitationRequest,
        responses={201: shapes.NewInvitationShape, **errors(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Invite somebody by mail; an earlier invitation of the address ends."""
        seat, said = seat_of_program(request), checked(InvitationRequest, request)
        with refusals():
            made = invitations.invite(
                seat, email=said["email"], role=said["role"], actor=actor_of(request)
            )
        told = _shown([made.invitation])[0] | {"is_mailed": send_invitation(made)}
        return Response(told, status=status.HTTP_201_CREATED)


class InvitationView(ApiView):
    """One invitation."""

    @extend_schema(
        operation_id="invitations_revoke",
        summary="Take an invitation back",
        tags=["members"],
        responses={204: None, **errors(401, 403, 404)},
    )
    def delete(self, request: Request, invitation_id: int) -> Response:
        """End an invitation, so that its link opens nothing. Repeating it does nothing."""
        seat = seat_of_program(request)
        found = get_object_or_404(Invitation, account=seat.account, pk=invitation_id)
        with refusals():
            invitations.revoke(seat, found, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _shown(found: Sequence[Invitation]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.pk,
            "email": one.email,
            "role": one.role,
            "created_at": one.created_at,
            "expires_at": one.expires_at,
        }
        for one in found
    ]
