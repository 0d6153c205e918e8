"""Invoices: lines, discounts, totals, attempts to have them paid."""

from dataclasses import dataclass
from typing import Any

from billing.stand_in.business import payments
from billing.stand_in.business.payments import Outcome
from billing.stand_in.store import Object
from billing.stand_in.world import World, listed, new_id

DAY = 86400
# After the first attempt. Stripe's own choose their moments by what has worked elsewhere.
RETRIES = (3 * DAY, 7 * DAY, 14 * DAY)


@dataclass(frozen=True)
class Line:
    """One line: what for, how much (cents, may be negative), for which time."""

    price: Object
    amount: int
    start: int
    end: int
    is_proration: bool = False

    @property
    def text(self) -> str:
        """What stands on the invoice."""
        what = self.price["nickname"] or self.price["lookup_key"] or self.price["id"]
        if not self.is_proration:
            return f"1 x {what}"
        return f"{'Unused' if self.amount < 0 else 'Remaining'} time on {what}"


def draw_up(
    world: World, sub: Object, lines: list[Line], *, reason: str, is_preview: bool = False
) -> Object:
    """Return a finalised invoice over lines, with the subscription's discounts, not paid yet."""
    customer = world.get(sub["customer"], "customer")
    subtotal = sum(line.amount for line in lines)
    discounts = [one for one in sub["discounts"] if one["end"] is None or one["end"] > world.now]
    off = min(max(subtotal, 0), sum(reduction(one["_coupon"], subtotal) for one in discounts))
    total = subtotal - off
    due = max(0, total + customer["balance"])
    invoice = world.make(
        "invoice",
        **_unpaid(due),
        customer=customer["id"],
        customer_email=customer["email"],
        billing_reason=reason,
        parent={
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {"subscription": sub["id"], "metadata": sub["metadata"]},
        },
        lines=listed([], "/v1/invoices/lines"),
        subtotal=subtotal,
        total=total,
        total_discount_amounts=[{"amount": off, "discount": one["id"]} for one in discounts[:1]],
        discounts=[one["id"] for one in discounts],
        starting_balance=customer["balance"],
        period_start=min(line.start for line in lines),
        period_end=max(line.end for line in lines),
    )
    invoice["lines"]["data"] = [_line(invoice["id"], line) for line in lines]
    return invoice if is_preview else _finalise(world, invoice, customer)


def _unpaid(due: int) -> Object:
    return {
        "amount_due": due,
        "amount_paid": 0,
        "amount_remaining": due,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {"enabled": False, "status": None},
        "collection_method": "charge_automatically",
        "currency": "usd",
        "ending_balance": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "next_payment_attempt": None,
        "number": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "total_taxes": [],
    }


def reduction(coupon: Object, subtotal: int) -> int:
    """Return how many cents a coupon takes off."""
    if coupon["percent_off"] is not None:
        return int(max(0, subtotal) * coupon["percent_off"] / 100 + 0.5)
    return int(coupon["amount_off"])


def attempt(
    world: World, invoice: Object, method: Object | None, *, confirmed: bool = False
) -> Outcome:
    """Try to have an open invoice paid, and note how it went on it."""
    if invoice["amount_due"] == 0:
        return _settle(world, invoice, Outcome("paid"))
    went = payments.pay(
        world,
        method,
        customer=invoice["customer"],
        amount=invoice["amount_remaining"],
        invoice=invoice["id"],
        confirmed=confirmed,
    )
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    if went.intent:
        _note_payment(world, invoice, went)
    if went.status == "paid":
        return _settle(world, invoice, went)
    world.save(invoice)
    world.emit("invoice.payment_failed", invoice)
    if went.status == "confirm":
        world.emit("invoice.payment_action_required", invoice)
    return went


def plan_retry(world: World, invoice: Object) -> bool:
    """Plan the next attempt, counted from the first; return whether there is one."""
    finalised = invoice["status_transitions"]["finalized_at"]
    moments = [finalised + after for after in RETRIES]
    coming = [moment for moment in moments if moment > world.now]
    invoice["next_payment_attempt"] = coming[0] if coming else None
    world.save(invoice)
    world.emit("invoice.updated", invoice)
    return bool(coming)


def end(world: World, invoice: Object, status: str) -> Object:
    """Void an open invoice, or mark it as uncollectible."""
    mark = "voided_at" if status == "void" else "marked_uncollectible_at"
    invoice |= {"status": status, "next_payment_attempt": None}
    invoice["status_transitions"][mark] = world.now
    world.save(invoice)
    if status == "void":  # what it took of a credit is given back
        customer = world.get(invoice["customer"], "customer")
        world.save(customer | {"balance": invoice["starting_balance"]})
    told = "voided" if status == "void" else "marked_uncollectible"
    world.emit(f"invoice.{told}", invoice)
    return invoice


def open_ones(world: World, sub: Object) -> list[Object]:
    """Return a subscription's invoices that wait for their payment, the oldest first."""
    found = world.store.all("invoice", customer=sub["customer"])
    return [one for one in reversed(found) if one["status"] == "open" and _is_of(one, sub)]


def subscription_of(invoice: Object) -> str:
    """Return the id of the subscription that an invoice is for."""
    return str(invoice["parent"]["subscription_details"]["subscription"])


def _is_of(invoice: Object, sub: Object) -> bool:
    return subscription_of(invoice) == str(sub["id"])


def _finalise(world: World, invoice: Object, customer: Object) -> Object:
    customer["_invoices"] = customer.get("_invoices", 0) + 1
    total, balance = invoice["total"], customer["balance"]
    customer["balance"] = min(0, total + balance)
    world.save(customer)
    invoice |= {
        "number": f"{customer['invoice_prefix']}-{customer['_invoices']:04}",
        "hosted_invoice_url": f"{world.settings.address}/i/{invoice['id']}",
        "ending_balance": customer["balance"],
        "status": "open",
    }
    invoice["status_transitions"]["finalized_at"] = world.now
    world.save(invoice)
    world.emit("invoice.created", invoice)
    world.emit("invoice.finalized", invoice)
    return invoice


def _settle(world: World, invoice: Object, went: Outcome) -> Outcome:
    due = invoice["amount_due"]
    invoice |= {
        "status": "paid",
        "attempted": True,
        "amount_paid": due,
        "amount_remaining": 0,
        "next_payment_attempt": None,
    }
    invoice["status_transitions"]["paid_at"] = world.now
    world.save(invoice)
    world.emit("invoice.paid", invoice)
    world.emit("invoice.payment_succeeded", invoice)
    return went


def _note_payment(world: World, invoice: Object, went: Outcome) -> None:
    paid = went.status == "paid"
    payment: dict[str, Any] = {"type": "payment_intent", "payment_intent": went.intent}
    for old in world.store.all("invoice_payment", customer=invoice["customer"]):
        if old["invoice"] == invoice["id"] and old["status"] == "open":
            world.save(old | {"status": "canceled"})
    made = world.make(
        "invoice_payment",
        customer=invoice["customer"],
        invoice=invoice["id"],
        amount_paid=invoice["amount_due"] if paid else None,
        amount_requested=invoice["amount_due"],
        currency="usd",
        is_default=True,
        payment=payment,
        status="paid" if paid else "open",
        status_transitions={"canceled_at": None, "paid_at": world.now if paid else None},
    )
    world.save(made)


def _line(invoice: str, line: Line) -> Object:
    return {
        "id": new_id("line_item"),
        "object": "line_item",
        "amount": line.amount,
        "subtotal": line.amount,
        "currency": "usd",
        "description": line.text,
        "discountable": not line.is_proration,
        "discounts": [],
        "discount_amounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": {},
        "period": {"start": line.start, "end": line.end},
        "pricing": {
            "type": "price_details",
            "price_details": {"price": line.price["id"], "product": line.price["product"]},
            "unit_amount_decimal": str(line.price["unit_amount"]),
        },
        "quantity": 1,
        "taxes": [],
    }
