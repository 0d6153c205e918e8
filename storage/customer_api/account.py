"""The account that a token opens: its plan, and what it uses of it."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actions import choose_continent, rename_account
from accounts.continents import Continent
from accounts.customer_api.authentication import account_of, actor_of, require
from accounts.customer_api.parsing import checked
from accounts.customer_api.schema import NameField, Shape, errors, example
from accounts.customer_api.views import ApiView
from accounts.models import Account
from accounts.roles import Right
from billing.entitlements import Entitlements
from billing.state import state_of
from storage.customer_api import shapes
from storage.objects import placement
from storage.vault_status import overview


@example({"name": "Olga’s household", "continent": "europe"})  # noqa: RUF001
class AccountChange(Shape):
    """What is to change of an account; the rest stays."""

    name = NameField(max_length=150, required=False)
    continent = serializers.ChoiceField(
        choices=Continent.values,
        allow_blank=True,
        required=False,
        help_text="Where new backups are to live; empty: anywhere",
    )


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
        return Response(_told(account_of(request)))

    @extend_schema(
        operation_id="account_change",
        summary="Change the account",
        tags=["account"],
        request=AccountChange,
        responses={200: shapes.AccountShape, **errors(400, 401, 403, 409)},
    )
    def patch(self, request: Request) -> Response:
        """Change the account's name, where its new backups live, or both."""
        account = require(request, Right.CHANGE_ACCOUNT).account
        _change(account, checked(AccountChange, request), request)
        account.refresh_from_db()
        return Response(_told(account))


@transaction.atomic
def _change(account: Account, said: dict[str, Any], request: Request) -> None:
    """Make all changes that are asked for, or none. Raises ValidationError."""
    if "name" in said:
        rename_account(account, name=said["name"], actor=actor_of(request))
    if "continent" in said:
        on_offer = {"", account.continent, *placement.continents_on_offer()}
        if said["continent"] not in on_offer:
            raise ValidationError({"continent": "The service has no place on that continent."})
        choose_continent(account, continent=said["continent"], actor=actor_of(request))


def _told(account: Account) -> dict[str, Any]:
    plan, now = overview.plan_of(account), state_of(account).allowed  # with what is held
    used = overview.quota_of(account, plan, now.quota)
    return {
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
        "continent": account.continent,
    }


def _state(account: Account, now: Entitlements) -> Any:
    if account.is_closed:
        return "closed"
    if now.may_store:
        return "active"
    return "read-only" if now.may_remove else "restore-only"
