"""The account that a token opens: its plan, and what it uses of it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import account_of
from accounts.customer_api.schema import errors
from accounts.customer_api.views import ApiView
from accounts.models import Account
from billing.actions import entitlements_of
from billing.entitlements import Entitlements
from storage.customer_api import shapes
from storage.vault_status import overview


class AccountView(ApiView):
    """The account."""

    @extend_schema(
        operation_id="account_get",
        summary="Get the account",
        tags=["account"],
        responses={200: shapes.AccountShape, **errors(401)},
    )
    def get(self, request: Request) -> Response:
        """Tell the account's plan, what it uses, and what it may do at this moment."""
        account = account_of(request)
        plan, now = overview.plan_of(account), entitlements_of(account)
        used = overview.quota_of(account, plan, now.quota)
        return Response(
            {
                "id": account.public_id,
                "name": account.name,
                "state": _state(account, now),
                "reason": now.reason,
                "plan": plan.slug,
                "quota": now.quota,
                "used": used.charged,
                "removed": used.kept,
                "devices": account.devices.filter(retired_at=None).count(),
                "device_limit": now.device_limit,
                "copies": now.copies,
            }
        )


def _state(account: Account, now: Entitlements) -> Any:
    if account.is_closed:
        return "closed"
    if now.may_store:
        return "active"
    return "read-only" if now.may_remove else "restore-only"
