"""Computers: adding, listing and retiring them."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Seat
from accounts.actions import DeviceNameTakenError, rename_device
from accounts.customer_api.authentication import account_of, actor_of, require, require_full
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.paging import page
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.schema import IDEMPOTENT, PAGE, NameField, Shape, errors, example
from accounts.customer_api.views import ApiView
from accounts.members import seats
from accounts.members.errors import MemberError
from accounts.models import Device, Membership
from accounts.roles import Right
from storage.customer_api import shapes, vaults, visible
from storage.vaults.devices import retire_device
from storage.vaults.enrolment import LimitError, VaultNameTakenError, add_computer


@example({"name": "laptop"})
class DeviceRequest(Shape):
    """A computer to add."""

    name = NameField(max_length=100)


@example({"name": "laptop of Anna", "member": 12})
class DeviceChange(Shape):
    """What is to change of a computer; the rest stays."""

    name = NameField(max_length=100, required=False, help_text="Its vaults keep theirs")
    member = serializers.IntegerField(
        min_value=1,
        max_value=2**63 - 1,
        allow_null=True,
        required=False,
        help_text="The id of the member whose it is to be, or null; owners and admins say that",
    )


class DevicesView(ApiView):
    """All computers."""

    @extend_schema(
        operation_id="devices_list",
        summary="List computers",
        tags=["devices"],
        parameters=PAGE,
        responses={200: shapes.DevicePage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List the computers that the token sees, retired ones too, the newest first."""
        return page(request, visible.devices(request), _shown)

    @extend_schema(
        operation_id="devices_create",
        summary="Add a computer with a vault",
        tags=["devices"],
        parameters=IDEMPOTENT,
        request=DeviceRequest,
        responses={201: shapes.VaultShape, **errors(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Add a computer and its vault, of the same name; make a credential for it then."""
        visible.devices(request, to_change=True)
        name = checked(DeviceRequest, request)["name"]
        try:
            vault = add_computer(account_of(request), name=name, actor=actor_of(request))
        except (DeviceNameTakenError, VaultNameTakenError) as error:
            raise ConflictError(
                "There is a computer or a vault of this name already.", "name-taken"
            ) from error
        except LimitError as error:
            raise ConflictError(str(error), "limit") from error
        return Response(vaults.shown([vault])[0], status=status.HTTP_201_CREATED)


class DeviceView(ApiView):
    """One computer."""

    @extend_schema(
        operation_id="devices_get",
        summary="Get a computer",
        tags=["devices"],
        responses={200: shapes.DeviceShape, **errors(401, 403, 404)},
    )
    def get(self, request: Request, device_id: str) -> Response:
        """Tell what a computer is called, whose it is, and whether it is in use."""
        return Response(_shown([visible.device(request, device_id)])[0])

    @extend_schema(
        operation_id="devices_move",
        summary="Rename a computer, or give it to a member",
        tags=["devices"],
        request=DeviceChange,
        responses={200: shapes.DeviceShape, **errors(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, device_id: str) -> Response:
        """Change what a computer is called, whose it is, or both.

        Its member sees it, whoever sees no others. One that is retired stays as it was.
        """
        found = visible.device(request, device_id, to_change=True)
        if found.retired_at is not None:
            raise ConflictError("This computer is retired.", "retired")
        _change(found, checked(DeviceChange, request), request)
        found.refresh_from_db()
        return Response(_shown([found])[0])

    @extend_schema(
        operation_id="devices_retire",
        summary="Retire a computer",
        tags=["devices"],
        responses={204: None, **errors(401, 403, 404)},
    )
    def delete(self, request: Request, device_id: str) -> Response:
        """Retire a computer: its own credentials end, its backups stay.

        Other computers' credentials, those that only restore, and those made by hand once the
        vault was set up stay as well. Repeating it does nothing.
        """
        found = visible.device(request, device_id, to_change=True)
        retire_device(found, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


@transaction.atomic
def _change(device: Device, said: dict[str, Any], request: Request) -> None:
    """Make all changes that are asked for, or none.

    Raises ConflictError, PermissionDenied, ValidationError.
    """
    if "member" in said:
        if said["member"] is not None:
            require_full(request)  # they delete what is in its vaults, if they like
        seat = Seat(require(request, Right.MOVE_DEVICES).membership)
        to = _member(seat, said["member"])
        try:
            seats.move_device(seat, device, to=to, actor=actor_of(request))
        except MemberError as error:
            raise ConflictError(str(error)) from error
    if "name" in said:
        try:
            rename_device(device, name=said["name"], actor=actor_of(request))
        except DeviceNameTakenError as error:
            raise ConflictError(
                "A computer of this name is in use already.", "name-taken"
            ) from error


def _member(seat: Seat, member_id: int | None) -> Membership | None:
    """Return a member of the account, or None for nobody. Raises ValidationError."""
    if member_id is None:
        return None
    found = seat.account.memberships.select_related("user").filter(pk=member_id).first()
    if found is None:
        raise ValidationError({"member": "The account has no such member."})
    return found


def _shown(devices: Sequence[Device]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.public_id,
            "name": one.name,
            "member": one.member_id,
            "created_at": one.created_at,
            "retired_at": one.retired_at,
        }
        for one in devices
    ]
