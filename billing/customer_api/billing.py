"""The plan, how payments stand, what was granted, and invoices."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.customer_api.authentication import require
from accounts.customer_api.paging import page
from accounts.customer_api.schema import PAGE, errors
from accounts.customer_api.views import ApiView
from accounts.models import Account
from accounts.roles import Right
from billing.actions import subscription_of
from billing.customer_api import shapes
from billing.customer_api.payment import payment_problems
from billing.models import Grant, Plan
from billing.state import AccountState, as_values, state_of
from billing.stripe.client import is_configured
from billing.stripe.invoices import Statement, statement_of
from billing.website.words import next_steps, sentence

# How the payment service calls things is for operators.
_INTERNAL = {
    "stripe_customer",
    "stripe_subscription",
    "stripe_status",
    "synced_at",
    "read_only_from",
    "restore_only_from",
    "restores_end",
    "deletion_announced_at",
    "deletion_due",
}


class BillingView(ApiView):
    """The plan and its payments."""

    @extend_schema(
        operation_id="billing_get",
        summary="Get the plan and how payments stand",
        tags=["billing"],
        responses={200: shapes.BillingShape, **errors(401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Tell the plan, what may be done right now and why not, and what happens when."""
        return Response(_told(state_of(_account(request))))


class PlansView(ApiView):
    """The plans."""

    @extend_schema(
        operation_id="plans_list",
        summary="List the plans on offer",
        tags=["billing"],
        parameters=PAGE,
        responses={200: shapes.PlanPage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List the plans that can be chosen, with their prices."""
        _account(request)
        return page(request, Plan.objects.filter(on_offer=True), _plans)


class GrantsView(ApiView):
    """What staff granted."""

    @extend_schema(
        operation_id="grants_list",
        summary="List what was granted",
        tags=["billing"],
        parameters=PAGE,
        responses={200: shapes.GrantPage, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """List room and time that the service's staff gave, those that ended too."""
        return page(request, Grant.objects.filter(account=_account(request)), _grants)


class InvoicesView(ApiView):
    """Invoices."""

    @extend_schema(
        operation_id="invoices_list",
        summary="List the newest invoices",
        tags=["billing"],
        responses={200: shapes.StatementShape, **errors(401, 403, 503)},
    )
    def get(self, request: Request) -> Response:
        """Ask Stripe for the newest twelve invoices and the next one; the portal has them all."""
        account, statement = _account(request), Statement()
        if is_configured():
            with payment_problems():
                statement = statement_of(subscription_of(account))
        return Response(
            {
                "results": [asdict(one) | {"is_owed": one.is_owed} for one in statement.invoices],
                "next_total": statement.next_total,
                "next_at": statement.next_at,
            }
        )


def _account(request: Request) -> Account:
    return require(request, Right.SEE_BILLING).account


def _told(found: AccountState) -> dict[str, Any]:
    values = {name: one for name, one in as_values(found).items() if name not in _INTERNAL}
    return values | {
        "text": sentence(found),
        "copies": found.allowed.copies,
        "device_limit": found.allowed.device_limit,
        "steps": [{"at": moment, "text": text} for moment, text in next_steps(found)],
    }


def _plans(found: Sequence[Plan]) -> list[dict[str, Any]]:
    return [
        {
            "slug": one.slug,
            "name": one.name,
            "quota": one.quota_bytes,
            "device_limit": one.device_limit,
            "copies": one.copies,
            "month_cents": one.month_cents,
            "year_cents": one.year_cents,
        }
        for one in found
    ]


def _grants(found: Sequence[Grant]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.pk,
            "quota_bytes": one.quota_bytes,
            "grace_days": one.grace_days,
            "starts_at": one.starts_at,
            "ends_at": one.ends_at,
        }
        for one in found
    ]
