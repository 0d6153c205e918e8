"""Changes what a plan promises: for everybody who is on it, and never below what they use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, Count, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Greatest

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account
from billing.actions import DEFAULT_PLAN
from billing.models import Plan

CHANGEABLE = (
    *("name", "quota_bytes", "device_limit", "copies", "month_cents", "year_cents"),
    *("rooms", "on_offer", "rank"),
)


class TooSmallError(ValueError):
    """A plan would promise less than is used already; the text says by how many accounts."""


@dataclass(frozen=True)
class Effect:
    """What a change of a plan does: each value before and after, and how many accounts it hits."""

    changes: Mapping[str, tuple[Any, Any]]
    accounts: int


def accounts_on(plan: Plan) -> QuerySet[Account]:
    """Return the accounts that a plan holds for; without any they are on the free one."""
    on_it = Q(subscription__plan=plan)
    if plan.slug == DEFAULT_PLAN:
        on_it |= Q(subscription=None)
    return Account.objects.filter(on_it).exclude(state__in=Account.CLOSED)


def effect(plan: Plan, wanted: Mapping[str, Any]) -> Effect:
    """Return what a change would do. Raises TooSmallError."""
    changes = {
        name: (getattr(plan, name), value)
        for name, value in wanted.items()
        if name in CHANGEABLE and getattr(plan, name) != value
    }
    _require_enough(plan, changes)
    return Effect(changes, accounts_on(plan).count())


@transaction.atomic
def change_plan(plan: Plan, wanted: Mapping[str, Any], *, actor: Actor) -> Effect:
    """Change a plan at once for everybody who is on it. Raises TooSmallError.

    Prices are those of new customers: `manage.py billing products` tells Stripe of them, and
    whoever pays already goes on to pay what they agreed to.
    """
    row = Plan.objects.select_for_update().get(pk=plan.pk)
    found = effect(row, wanted)
    if found.changes:
        for name, (_, value) in found.changes.items():
            setattr(row, name, value)
        row.save(update_fields=list(found.changes))
        told = {name: list(values) for name, values in found.changes.items()}
        audit.record(actor, "plan.edit", row.slug, changes=told, accounts=found.accounts)
    return found


def _require_enough(plan: Plan, changes: Mapping[str, tuple[Any, Any]]) -> None:
    quota_before, quota = changes.get("quota_bytes", (0, 0))
    if quota < quota_before and (count := _charged_more(plan, quota).count()):
        raise TooSmallError(
            f"{count} of the accounts on this plan hold more than that. Make another plan for new "
            "customers, and take this one off offer."
        )
    before, limit = changes.get("device_limit", (None, None))
    is_less = limit is not None and (before is None or limit < before)
    if is_less and (count := _more_devices(plan, limit).count()):
        raise TooSmallError(f"{count} of the accounts on this plan have more devices than that.")


def _charged_more(plan: Plan, quota: int) -> QuerySet[Account]:
    excess = Greatest(F("usage__tombstoned_bytes") - Value(quota), Value(0))
    charged = F("usage__live_bytes") + F("usage__reserved_bytes") + excess
    # Named as what it is: for a sum Django takes 32 bits, and answers above that without asking.
    wide = ExpressionWrapper(charged, output_field=BigIntegerField())
    return accounts_on(plan).alias(charged=wide).filter(charged__gt=quota)


def _more_devices(plan: Plan, limit: int) -> QuerySet[Account]:
    in_use = Count("devices", filter=Q(devices__retired_at=None))
    return accounts_on(plan).alias(in_use=in_use).filter(in_use__gt=limit)
