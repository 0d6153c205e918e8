"""Closing the account, opening it again, and the export of all that is kept of it.

What the pages ask is asked here: the account's name, an owner, and who it is. A program cannot
prove that, so it brings a token of full scope, whose maker has. What is kept of a person is not
their account's, and exported on the website only.
"""

from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit
from accounts.closing import plan
from accounts.closing.actions import AlreadyClosedError, ClosingError, close
from accounts.customer_api.authentication import access_of, actor_of, require, require_full
from accounts.customer_api.idempotency import idempotent
from accounts.customer_api.parsing import checked
from accounts.customer_api.problems import ConflictError
from accounts.customer_api.schema import IDEMPOTENT, Shape, errors, example
from accounts.customer_api.views import ApiView
from accounts.models import Account, Closing
from accounts.roles import Right, may
from backup_service import clock
from billing.closing import StillOwedError, reopen
from storage.leaving.export import archive, sections

REASONS = Closing.Reason.values
PAUSE = 60  # seconds between two exports of an account


@example({"confirm": "Olga’s household"})  # noqa: RUF001
class ClosingRequest(Shape):
    """The account that is meant."""

    confirm = serializers.CharField(max_length=150, help_text="The account's name, as it is now")


@example(
    {
        "is_closed": True,
        "reason": "owner",
        "closed_at": "2026-05-01T12:00:00Z",
        "erase_after": "2026-05-31T12:00:00Z",
        "may_reopen": True,
    }
)
class ClosingShape(Shape):
    """Whether an account is closed, and what follows. Of an open one the rest is null."""

    is_closed = serializers.BooleanField()
    reason = serializers.ChoiceField(choices=REASONS, allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    erase_after = serializers.DateTimeField(
        allow_null=True, help_text="When all of it is destroyed, unless it is opened again"
    )
    may_reopen = serializers.BooleanField(
        help_text="Whether it can be opened again; where a payment is overdue, by settling that"
    )


class ClosingView(ApiView):
    """The closing of the account."""

    @extend_schema(
        operation_id="account_closing",
        summary="Get whether the account is closed, and until when it is kept",
        tags=["account"],
        responses={200: ClosingShape, **errors(401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Tell it to a token that an owner has made, of any scope."""
        access = access_of(request)
        if not may(access.membership.role, Right.CLOSE_ACCOUNT):
            raise PermissionDenied("A token that an owner has made sees that.")
        return Response(_told(access.account))

    @extend_schema(
        operation_id="account_close",
        summary="Close the account",
        tags=["account"],
        parameters=IDEMPOTENT,
        request=ClosingRequest,
        responses={202: ClosingShape, **errors(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Close the account: nothing is stored any more, and in 30 days all of it is destroyed.

        Until then files can be restored, and it can be opened again. Owners and admins are told. It
        takes a token of full scope that an owner has made.
        """
        account = _owned(request)
        said = " ".join(checked(ClosingRequest, request)["confirm"].split())
        if said != " ".join(account.name.split()):
            raise ValidationError({"confirm": "This is not the account's name; nothing was done."})
        try:
            close(account, reason=Closing.Reason.OWNER, actor=actor_of(request))
        except AlreadyClosedError as error:
            raise ConflictError(str(error), "closed") from error
        return Response(_told(account), status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        operation_id="account_reopen",
        summary="Open a closed account again",
        tags=["account"],
        responses={204: None, **errors(401, 403, 409)},
    )
    def delete(self, request: Request) -> Response:
        """Take the closing back; a plan that was paid for stays ended. It takes the same token."""
        try:
            reopen(_owned(request), actor=actor_of(request))
        except StillOwedError as error:
            raise ConflictError(str(error), "unpaid") from error
        except ClosingError as error:
            raise ConflictError(str(error), "too-late") from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportView(ApiView):
    """All that is kept of the account."""

    http_method_names = ("get", "options")  # no HEAD: what it would tell about is made for each GET

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take whatever is accepted: the answer is a ZIP, or a problem."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="account_export",
        summary="Get all that is kept of the account",
        tags=["account"],
        responses={
            (200, "application/zip"): OpenApiResponse(
                OpenApiTypes.BINARY, description="A ZIP, of JSON and CSV"
            ),
            **errors(401, 403, 409),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Return the export, made while it is sent, at most once a minute.

        Files are not in it: they are restored. It takes a token of full scope that an owner has
        made.
        """
        account = _owned(request)
        if not cache.add(f"export-of:{account.pk}", True, PAUSE):
            raise ConflictError("It was downloaded a moment ago; wait a minute.", "too-soon")
        audit.record(actor_of(request), "account.export", account.public_id, account=account)
        response = StreamingHttpResponse(
            archive.stream(
                sections.of_account(account), account=account.name, site=settings.SITE_URL
            ),
            content_type="application/zip",
        )
        name = f"nightsafe-{clock.now():%Y-%m-%d}.zip"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def _owned(request: Request) -> Account:
    """Return the account, to do with it what an owner does. Raises PermissionDenied."""
    require_full(request)
    return require(request, Right.CLOSE_ACCOUNT).account


def _told(account: Account) -> dict[str, Any]:
    closing = Closing.objects.filter(account=account).first()
    return {
        "is_closed": closing is not None,
        "reason": closing.reason if closing else None,
        "closed_at": closing.closed_at if closing else None,
        "erase_after": closing.erase_after if closing else None,
        "may_reopen": closing is not None and plan.may_reopen(closing, clock.now()),
    }
