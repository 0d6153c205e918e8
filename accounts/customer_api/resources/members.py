"""Members: who has a seat in the account, their roles, and taking a seat away."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Seat
from accounts.customer_api.authentication import actor_of, require
from accounts.customer_api.paging import page
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.resources import shapes
from accounts.customer_api.schema import PAGE, Shape, errors, example
from accounts.customer_api.views import ApiView
from accounts.members import seats
from accounts.members.errors import MemberError, NotAllowedError, TooManyError
from accounts.models import Membership
from accounts.roles import BY_PROGRAM, Right


@example({"role": "auditor"})
class RoleRequest(Shape):
    """Another role for a member."""

    role = serializers.ChoiceField(choices=BY_PROGRAM)


class MembersView(ApiView):
    """All members."""

    @extend_schema(
        operation_id="members_list",
        summary="List members",
        tags=["members"],
        parameters=PAGE,
        responses={200: shapes.MemberPage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List who has a seat in the account, and in which role, the newest first."""
        account = require(request, Right.SEE_MEMBERS).account
        return page(request, account.memberships.select_related("user"), _shown)


class MemberView(ApiView):
    """One member."""

    @extend_schema(
        operation_id="members_change_role",
        summary="Give a member another role",
        tags=["members"],
        request=RoleRequest,
        responses={200: shapes.MemberShape, **errors(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, member_id: int) -> Response:
        """Make a member or auditor the other of the two. Admins are made on the website only."""
        seat = seat_of_program(request)
        member = _member(seat, member_id)
        role = checked(RoleRequest, request)["role"]
        with refusals():
            require_within_reach(member.role)
            seats.change_role(seat, member, role=role, actor=actor_of(request))
        return Response(_shown([_member(seat, member_id)])[0])

    @extend_schema(
        operation_id="members_remove",
        summary="Remove a member",
        tags=["members"],
        responses={204: None, **errors(401, 403, 404, 409)},
    )
    def delete(self, request: Request, member_id: int) -> Response:
        """Take the seat of a member or auditor away: their devices stay, their tokens end."""
        seat = seat_of_program(request)
        member = _member(seat, member_id)
        with refusals():
            require_within_reach(member.role)
            seats.remove(seat, member, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def seat_of_program(request: Request) -> Seat:
    """Return the seat of whoever made the token, to decide about others.

    Raises PermissionDenied.
    """
    return Seat(require(request, Right.CHANGE_MEMBERS).membership)


def require_within_reach(role: str) -> None:
    """Raise NotAllowedError for a role about which programs decide nothing."""
    if role not in BY_PROGRAM:
        raise NotAllowedError(
            f"A program decides nothing about a seat as {role}. That is done on the website, "
            "where people prove who they are."
        )


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what is refused about members into problems."""
    try:
        yield
    except NotAllowedError as error:
        raise PermissionDenied(str(error)) from error
    except TooManyError as error:
        raise ConflictError(str(error), "limit") from error
    except MemberError as error:
        raise ConflictError(str(error)) from error


def _member(seat: Seat, member_id: int) -> Membership:
    return get_object_or_404(seat.account.memberships.select_related("user"), pk=member_id)


def _shown(found: Sequence[Membership]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.pk,
            "email": one.user.email,
            "name": one.user.name,
            "role": one.role,
            "joined_at": one.created_at,
        }
        for one in found
    ]
