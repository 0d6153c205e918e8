"""The start page of the staff: figures of the service, each leading to its list.

All come from a fixed number of queries, and none counts objects or replicas.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.urls import reverse

from accounts.models import Account
from accounts.staff.groups import MEANING
from accounts.staff.staff_site import staff_site
from accounts.templatetags.amounts import ago, amount, price
from backup_service import clock
from billing.revenue import failing_payments, monthly_revenue
from storage.models import Alarm, Replica, Usage, VaultEvent

DAY = timedelta(days=1)
LATE_COPY = timedelta(minutes=15)  # after which a waiting replica is an alarm as well
LOOKED_AT = 200  # waiting replicas, those due first


@dataclass(frozen=True)
class Figure:
    """A big number, what it is, a line below it, and the list that it leads to."""

    label: str
    value: str
    note: str
    url: str
    is_bad: bool = False


def figures(request: HttpRequest) -> dict[str, Any]:
    """Return what the start page shows to somebody: only what their rights open."""
    now, user = clock.now(), request.user
    shown = [make(now) for right, make in FIGURES if user.has_perm(right)]
    sees_money = user.has_perm("billing.view_subscription")
    groups = user.groups.order_by("name").values_list("name", flat=True) if user.pk else []
    return {
        "figures": shown,
        "revenue": monthly_revenue() if sees_money else [],
        "alarms": list(_alarms()) if user.has_perm("storage.view_alarm") else [],
        "duties": [(name, MEANING[name]) for name in groups if name in MEANING],
    }


def _sign_ups(now: datetime) -> Figure:
    month = Account.objects.filter(created_at__gt=now - 30 * DAY)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    counts = month.aggregate(
        month=Count("pk"),
        week=Count("pk", filter=Q(created_at__gt=now - 7 * DAY)),
        today=Count("pk", filter=Q(created_at__gte=today)),
    )
    note = f"{counts['week']} in 7 days, {counts['month']} in 30"
    return Figure("New accounts today", str(counts["today"]), note, _list("accounts_account"))


def _money(now: datetime) -> Figure:
    found = monthly_revenue()
    subscribers = sum(one.subscribers for one in found)
    return Figure(
        "Revenue a month",
        price(sum(one.cents for one in found)),
        f"{subscribers} subscription{pluralize(subscribers)}, at list prices",
        _list("billing_subscription", "stripe_status__exact=active"),
    )


def _failing(now: datetime) -> Figure:
    count = failing_payments()
    return Figure(
        "Payments that fail",
        str(count),
        "accounts owe something" if count else "everybody has paid",
        _list("billing_subscription", "unpaid_since__isempty=0"),
        is_bad=count > 0,
    )


def _stored(now: datetime) -> Figure:
    sums = Usage.objects.aggregate(live=Sum("live_bytes"), kept=Sum("tombstoned_bytes"))
    note = f"and {amount(sums['kept'])} removed but kept"
    return Figure("Stored", amount(sums["live"]), note, _list("accounts_account"))


def _alarm_count(now: datetime) -> Figure:
    count = Alarm.objects.count()
    note = "open now" if count else "nothing is wrong"
    return Figure("Alarms", str(count), note, _list("storage_alarm"), is_bad=count > 0)


def _refusals(now: datetime) -> Figure:
    lately = VaultEvent.objects.filter(kind=VaultEvent.Kind.REFUSAL, last_at__gt=now - DAY)
    sums = lately.aggregate(vaults=Count("vault", distinct=True), times=Sum("count"))
    return Figure(
        "Vaults refused in 24 hours",
        str(sums["vaults"]),
        f"{sums['times'] or 0} requests",
        _list("storage_vaultevent", "kind__exact=refusal"),
    )


def _waiting(now: datetime) -> Figure:
    """The oldest of the replicas that are due first: what waits longest was due long ago."""
    due = Replica.objects.waiting().order_by("next_attempt_at").values_list("since", flat=True)
    oldest = min(due[:LOOKED_AT], default=None)
    return Figure(
        "Oldest waiting replica",
        ago(oldest) if oldest else "none",
        "since it began to wait" if oldest else "every copy is made",
        _list("storage_replica", "state__exact=pending"),
        is_bad=oldest is not None and now - oldest > LATE_COPY,
    )


FIGURES: Sequence[tuple[str, Callable[[datetime], Figure]]] = (
    ("accounts.view_account", _sign_ups),
    ("billing.view_subscription", _money),
    ("billing.view_subscription", _failing),
    ("accounts.view_account", _stored),
    ("storage.view_alarm", _alarm_count),
    ("storage.view_vaultevent", _refusals),
    ("storage.view_replica", _waiting),
)


def _alarms() -> Any:
    return Alarm.objects.order_by("since")[:10]


def _list(name: str, query: str = "") -> str:
    return reverse(f"admin:{name}_changelist") + (f"?{query}" if query else "")


staff_site().start_with(figures)
