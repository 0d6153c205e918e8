"""Invoices, payments, refunds and disputes, as far as a program has a hand in them."""

from billing.stand_in.api.customers import merged
from billing.stand_in.business import invoices, payments, subscriptions
from billing.stand_in.business.invoices import Line
from billing.stand_in.business.periods import period_at
from billing.stand_in.errors import ApiError
from billing.stand_in.params import Params
from billing.stand_in.store import Object
from billing.stand_in.world import World


def pay_invoice(world: World, params: Params, name: str) -> Object:
    """Try to have an open invoice paid now."""
    invoice = _open(world, name)
    chosen = params.text("payment_method")
    method = payments.method_of(world, chosen) if chosen else None
    sub = world.get(invoices.subscription_of(invoice), "subscription")
    went = subscriptions.collect(world, sub, invoice, method=method)
    if went.status != "paid":
        raise ApiError(
            went.sentence,
            status=402,
            kind="card_error",
            code="card_declined",
            decline_code=went.decline,
            keeps=True,
        )
    return world.get(name, "invoice")


def void_invoice(world: World, params: Params, name: str) -> Object:
    """Take an open invoice back."""
    return invoices.end(world, _open(world, name), "void")


def mark_uncollectible(world: World, params: Params, name: str) -> Object:
    """Give an open invoice up."""
    return invoices.end(world, _open(world, name), "uncollectible")


def preview_invoice(world: World, params: Params) -> Object:
    """Return the next invoice of a subscription, which is not there yet."""
    params.text("customer")
    sub = world.get(params.required("subscription"), "subscription")
    if sub["status"] not in subscriptions.GOING_ON or sub["cancel_at_period_end"]:
        text = "No upcoming invoices for this subscription."
        raise ApiError(text, code="invoice_upcoming_none")
    item = subscriptions.item_of(sub)
    price = item["price"]
    if sub["schedule"]:
        coming = world.get(sub["schedule"], "subscription_schedule")["phases"][-1]
        price = world.get(coming["items"][0]["price"], "price")
    moment = item["current_period_end"]
    start, end = period_at(moment, price["recurring"]["interval"], moment)
    line = Line(price, price["unit_amount"], start, end)
    found = invoices.draw_up(world, sub, [line], reason="upcoming", is_preview=True)
    return found | {"id": f"upcoming_{found['id']}", "next_payment_attempt": moment}


def create_refund(world: World, params: Params) -> Object:
    """Give a payment back, all of it or an amount."""
    intent, charge = params.text("payment_intent"), params.text("charge")
    if intent:
        charge = str(world.get(intent, "payment_intent")["latest_charge"] or "")
    amount = params.integer("amount") if "amount" in params else None
    reason, metadata = params.text("reason"), merged({}, params.mapping("metadata"))
    found = world.get(charge, "charge")
    return payments.refund(world, found, amount, reason=reason or None, metadata=metadata)


def close_dispute(world: World, params: Params, name: str) -> Object:
    """Give a dispute up, as with Stripe; it is lost then."""
    return payments.settle_dispute(world, world.get(name, "dispute"), "lost")


def _open(world: World, name: str) -> Object:
    invoice = world.get(name, "invoice")
    if invoice["status"] != "open":
        raise ApiError(f"This invoice is {invoice['status']}.", code="invoice_not_editable")
    return invoice


ROUTES = [
    ("POST", "invoices/create_preview", preview_invoice),
    ("POST", "invoices/*/pay", pay_invoice),
    ("POST", "invoices/*/void", void_invoice),
    ("POST", "invoices/*/mark_uncollectible", mark_uncollectible),
    ("POST", "refunds", create_refund),
    ("POST", "disputes/*/close", close_dispute),
]
