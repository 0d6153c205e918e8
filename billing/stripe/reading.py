"""What Stripe's objects say of an account: pure, from answers to one reading."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from billing.models import LIVE

Object = dict[str, Any]
_KEY = re.compile(r"nightsafe-(?P<plan>[-\w]+)-(?P<interval>month|year)")
_OWED = ("open", "uncollectible")
_FAILED = ("payment_failed", "payment_disputed")
_BEST_FIRST = ("active", "trialing", "past_due", "unpaid")
PLAN_METADATA = "nightsafe_plan"
ACCOUNT_METADATA = "nightsafe_account"


@dataclass(frozen=True)
class Reading:
    """How an account stands with Stripe. Without a `subscription` it pays for nothing.

    `plan` is a slug, and empty where the price is none of ours. `extra` are further subscriptions
    that go on beside the one that counts.
    """

    subscription: str = ""
    status: str = ""
    plan: str = ""
    interval: str = ""
    period_ends_at: datetime | None = None
    cancels_at_period_end: bool = False
    scheduled_plan: str = ""
    scheduled_interval: str = ""
    unpaid_since: datetime | None = None
    retry_at: datetime | None = None
    is_disputed: bool = False
    extra: tuple[str, ...] = ()


def read(
    subscriptions: Sequence[Object],
    invoices: Sequence[Object],
    *,
    known: str = "",
    schedule: Object | None = None,
    is_disputed: bool = False,
) -> Reading:
    """Return the reading of a customer's subscriptions (all) and invoices (those that are owed).

    `known` is the subscription that the account stood by before, `schedule` that of the one that
    counts now, with prices expanded.
    """
    chosen = the_one_that_counts(subscriptions, invoices, known=known)
    if chosen is None:
        return Reading(is_disputed=is_disputed)
    owed = _owed(chosen, invoices)
    item = _item(chosen)
    plan, interval = plan_of_price(item["price"])
    later, later_interval = _scheduled(schedule)
    live = [one for one in subscriptions if one["status"] in LIVE]
    return Reading(
        subscription=chosen["id"],
        status=chosen["status"],
        plan=plan,
        interval=interval,
        period_ends_at=moment(item.get("current_period_end")),
        cancels_at_period_end=bool(chosen.get("cancel_at_period_end") or chosen.get("cancel_at")),
        scheduled_plan=later if (later, later_interval) != (plan, interval) else "",
        scheduled_interval=later_interval if (later, later_interval) != (plan, interval) else "",
        unpaid_since=_unpaid_since(chosen, item, owed),
        retry_at=_retry_at(owed),
        is_disputed=is_disputed,
        extra=tuple(one["id"] for one in live if one["id"] != chosen["id"]),
    )


def the_one_that_counts(
    subscriptions: Sequence[Object], invoices: Sequence[Object], *, known: str = ""
) -> Object | None:
    """Return the subscription that an account stands by, None if there is none.

    Of several that go on, one that is paid counts before one that is not, then the one that is
    known, then the first that was made. One that Stripe ended since nobody paid still counts while
    that is owed: what follows from not paying does not begin anew, or end, by being cancelled.
    """
    live = [one for one in subscriptions if one["status"] in LIVE]
    if live:

        def order(one: Object) -> tuple[int, bool, int, str]:
            rank = _BEST_FIRST.index(one["status"])
            return rank, one["id"] != known, one["created"], one["id"]

        return min(live, key=order)
    given_up = [
        one
        for one in subscriptions
        if one["status"] == "canceled"
        and (one.get("cancellation_details") or {}).get("reason") in _FAILED
        and _owed(one, invoices)
    ]
    return max(given_up, key=lambda one: one["created"], default=None)


def plan_of_price(price: Object) -> tuple[str, str]:
    """Return a price's plan (slug) and interval, empty where it is none of ours.

    The plan stands in the metadata: a look-up key moves on when a price is replaced.
    """
    found = _KEY.fullmatch(price.get("lookup_key") or "")
    plan = (price.get("metadata") or {}).get(PLAN_METADATA) or (found["plan"] if found else "")
    interval = (price.get("recurring") or {}).get("interval", "")
    return plan, interval if interval in ("month", "year") else ""


def moment(seconds: int | None) -> datetime | None:
    """Return a moment of Stripe's (seconds since 1970) as ours (aware, UTC)."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def subscription_of_invoice(invoice: Object) -> str:
    """Return the id of the subscription that an invoice is for, empty if it is for none."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    return str(details.get("subscription") or "")


def _item(subscription: Object) -> Object:
    item: Object = subscription["items"]["data"][0]
    return item


def _owed(subscription: Object, invoices: Sequence[Object]) -> list[Object]:
    """Return a subscription's invoices whose payment was tried and failed, the oldest first."""
    mine = [
        one
        for one in invoices
        if subscription_of_invoice(one) == subscription["id"]
        and one["status"] in _OWED
        and one.get("attempt_count")
    ]
    return sorted(mine, key=lambda one: one["created"])


def _unpaid_since(subscription: Object, item: Object, owed: Sequence[Object]) -> datetime | None:
    """Return when the first attempt failed of what is owed now.

    Stripe tries at once when an invoice is finalised. Where it says that something is owed and
    shows no such invoice, the period's beginning counts.
    """
    if subscription["status"] in ("active", "trialing"):
        return None
    for invoice in owed:
        finalised = (invoice.get("status_transitions") or {}).get("finalized_at")
        return moment(finalised or invoice["created"])
    return moment(item.get("current_period_start") or subscription["created"])


def _retry_at(owed: Sequence[Object]) -> datetime | None:
    planned = [one["next_payment_attempt"] for one in owed if one.get("next_payment_attempt")]
    return moment(max(planned, default=None))


def _scheduled(schedule: Object | None) -> tuple[str, str]:
    if schedule is None or schedule.get("status") != "active" or not schedule.get("phases"):
        return "", ""
    items = schedule["phases"][-1].get("items") or []
    price = items[0].get("price") if items else None
    return plan_of_price(price) if isinstance(price, dict) else ("", "")
