"""Subscriptions: begun, renewed, changed, cancelled, and what an unpaid invoice makes of them."""

from typing import Any

from billing.stand_in.business import invoices, schedules
from billing.stand_in.business.invoices import Line
from billing.stand_in.business.payments import Outcome
from billing.stand_in.business.periods import period_at
from billing.stand_in.store import Object
from billing.stand_in.world import World, listed

GOING_ON = ("active", "past_due", "unpaid", "trialing")


def draft(
    world: World,
    customer: Object,
    price: Object,
    *,
    metadata: dict[str, str],
    discounts: list[Object],
    tax: bool = False,
) -> Object:
    """Return a subscription from now on, of which nothing is stored or told yet."""
    start, end = period_at(world.now, price["recurring"]["interval"], world.now)
    sub = world.make(
        "subscription",
        customer=customer["id"],
        currency="usd",
        metadata=metadata,
        automatic_tax={"enabled": tax, "disabled_reason": None, "liability": None},
        billing_cycle_anchor=world.now,
        billing_schedules=[],
        cancel_at=None,
        cancel_at_period_end=False,
        canceled_at=None,
        cancellation_details={"comment": None, "feedback": None, "reason": None},
        collection_method="charge_automatically",
        default_payment_method=None,
        discounts=discounts,
        ended_at=None,
        latest_invoice=None,
        schedule=None,
        start_date=world.now,
        status="incomplete",
        trial_end=None,
        trial_start=None,
    )
    item = world.make("subscription_item", price=price, quantity=1, subscription=sub["id"])
    item |= {"current_period_start": start, "current_period_end": end, "discounts": []}
    sub["items"] = listed([item], f"/v1/subscription_items?subscription={sub['id']}")
    for one in discounts:
        one["subscription"] = sub["id"]
    return sub


def begin(
    world: World, sub: Object, method: Object | None, *, confirmed: bool = False
) -> tuple[Object, Outcome]:
    """Have the first invoice of a draft paid; it is active if that works, else incomplete."""
    item = item_of(sub)
    first = Line(
        item["price"],
        item["price"]["unit_amount"],
        item["current_period_start"],
        item["current_period_end"],
    )
    world.save(sub)
    invoice = invoices.draw_up(world, sub, [first], reason="subscription_create")
    sub["latest_invoice"] = invoice["id"]
    went = invoices.attempt(world, invoice, method, confirmed=confirmed)
    sub["status"] = "active" if went.status == "paid" else "incomplete"
    _use_discounts(sub)
    world.save(sub)
    world.emit("customer.subscription.created", sub)
    return sub, went


def item_of(sub: Object) -> Object:
    """Return the one item of a subscription."""
    found: Object = sub["items"]["data"][0]
    return found


def period_end(sub: Object) -> int:
    """Return when the present period ends."""
    return int(item_of(sub)["current_period_end"])


def method_for(world: World, sub: Object) -> Object | None:
    """Return the card that a subscription is paid with."""
    customer = world.get(sub["customer"], "customer")
    chosen = sub["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return world.get(chosen, "payment_method") if chosen else None


def collect(
    world: World,
    sub: Object,
    invoice: Object,
    *,
    method: Object | None = None,
    confirmed: bool = False,
) -> Outcome:
    """Have an open invoice paid, and let the subscription's state follow."""
    went = invoices.attempt(world, invoice, method or method_for(world, sub), confirmed=confirmed)
    if went.status == "paid":
        _after_payment(world, sub)
    elif sub["status"] != "incomplete":
        _after_failure(world, sub, invoice)
    return went


def renew(world: World, sub: Object) -> None:
    """End the period: cancel, or go on to the next one with an invoice."""
    if sub["cancel_at_period_end"]:
        end(world, sub)
        return
    schedules.carry_out(world, sub)
    item, moment = item_of(sub), period_end(sub)
    interval = item["price"]["recurring"]["interval"]
    start, finish = period_at(sub["billing_cycle_anchor"], interval, moment)
    item |= {"current_period_start": start, "current_period_end": finish}
    if sub["status"] == "unpaid":  # what nobody pays gets no further invoices here
        changed(world, sub)
        return
    line = Line(item["price"], item["price"]["unit_amount"], start, finish)
    invoice = invoices.draw_up(world, sub, [line], reason="subscription_cycle")
    sub["latest_invoice"] = invoice["id"]
    _use_discounts(sub)
    changed(world, sub)
    collect(world, sub, invoice)


def change_price(
    world: World, sub: Object, price: Object, *, prorate: bool = True, confirmed: bool = False
) -> Outcome:
    """Change to another price at once, and settle the difference. Not paid: nothing changes."""
    item, now = item_of(sub), world.now
    old, start, finish = item["price"], item["current_period_start"], item["current_period_end"]
    left = (finish - now) / (finish - start)
    lines = [Line(old, -round(old["unit_amount"] * left), now, finish, is_proration=True)]
    anchor = sub["billing_cycle_anchor"]
    if old["recurring"]["interval"] == price["recurring"]["interval"]:
        share = round(price["unit_amount"] * left)
        lines.append(Line(price, share, now, finish, is_proration=True))
    else:
        start, finish = period_at(now, price["recurring"]["interval"], now)
        lines.append(Line(price, price["unit_amount"], start, finish))
        anchor = now
    if prorate:
        invoice = invoices.draw_up(world, sub, lines, reason="subscription_update")
        went = invoices.attempt(world, invoice, method_for(world, sub), confirmed=confirmed)
        if went.status != "paid":
            invoices.end(world, invoice, "void")
            return went
        sub["latest_invoice"] = invoice["id"]
    schedules.release(world, sub)
    item |= {"price": price, "current_period_start": start, "current_period_end": finish}
    sub["billing_cycle_anchor"] = anchor
    changed(world, sub)
    return Outcome("paid")


def cancel_later(world: World, sub: Object, *, feedback: str = "", comment: str = "") -> None:
    """End it with its period."""
    schedules.release(world, sub)
    sub |= {
        "cancel_at_period_end": True,
        "cancel_at": period_end(sub),
        "canceled_at": world.now,
        "cancellation_details": _details("cancellation_requested", feedback, comment),
    }
    changed(world, sub)


def go_on(world: World, sub: Object) -> None:
    """Take a cancellation at the end of the period back."""
    sub |= {"cancel_at_period_end": False, "cancel_at": None, "canceled_at": None}
    sub["cancellation_details"] = _details(None, "", "")
    changed(world, sub)


def end(
    world: World, sub: Object, *, reason: str = "cancellation_requested", **details: Any
) -> None:
    """End it now. What is not paid stays open, but is not tried again."""
    for invoice in invoices.open_ones(world, sub):
        world.save(invoice | {"auto_advance": False, "next_payment_attempt": None})
    if sub["cancellation_details"]["reason"] is None:
        sub["cancellation_details"] = _details(
            reason, details.get("feedback", ""), details.get("comment", "")
        )
    sub |= {"status": "canceled", "ended_at": world.now}
    sub["canceled_at"] = sub["canceled_at"] or world.now
    world.save(sub)
    world.emit("customer.subscription.deleted", sub)


def expire(world: World, sub: Object) -> None:
    """Give up one whose first payment was never completed."""
    for invoice in invoices.open_ones(world, sub):
        invoices.end(world, invoice, "void")
    sub |= {"status": "incomplete_expired", "ended_at": world.now}
    changed(world, sub)


def changed(world: World, sub: Object) -> None:
    """Store a subscription and tell of it."""
    world.save(sub)
    world.emit("customer.subscription.updated", sub, before={})


def _after_payment(world: World, sub: Object) -> None:
    owed = invoices.open_ones(world, sub)
    if owed or sub["status"] not in ("past_due", "unpaid", "incomplete"):
        return
    sub["status"] = "active"
    changed(world, sub)


def _after_failure(world: World, sub: Object, invoice: Object) -> None:
    if sub["status"] not in GOING_ON:
        world.save(invoice | {"next_payment_attempt": None})
        return
    if invoices.plan_retry(world, invoice):
        if sub["status"] == "active":
            sub["status"] = "past_due"
            changed(world, sub)
    elif world.settings.after_retries == "cancel":
        end(world, sub, reason="payment_failed")
    elif world.settings.after_retries == "unpaid" and sub["status"] != "unpaid":
        sub["status"] = "unpaid"
        changed(world, sub)


def _use_discounts(sub: Object) -> None:
    sub["discounts"] = [one for one in sub["discounts"] if one["_coupon"]["duration"] != "once"]


def _details(reason: str | None, feedback: str, comment: str) -> Object:
    return {"reason": reason, "feedback": feedback or None, "comment": comment or None}
