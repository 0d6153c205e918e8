"""Cards that are kept, payments with them, and what may follow: refunds and disputes."""

from dataclasses import dataclass
from typing import Any

from billing.stand_in.business.cards import CARDS, SENTENCES, TOKENS, Card, card_of
from billing.stand_in.errors import ApiError
from billing.stand_in.store import Object
from billing.stand_in.world import World

DAY = 86400


@dataclass(frozen=True)
class Outcome:
    """How a payment went: "paid", "confirm" (3-D Secure is wanted first) or "declined"."""

    status: str
    intent: str = ""
    decline: str = ""

    @property
    def sentence(self) -> str:
        """What the customer is told of a refusal."""
        return SENTENCES.get(self.decline, SENTENCES["generic_decline"])


def make_card(world: World, number: str, *, email: str = "") -> Object:
    """Return a new payment method for a test card's number, not attached yet. Raises ApiError."""
    plain = "".join(number.split())
    card = card_of(plain)
    if card is None:
        text = "This is no test card, and real cards do nothing here."
        raise ApiError(text, status=402, kind="card_error", code="incorrect_number", param="number")
    return world.save(
        world.make(
            "payment_method",
            type="card",
            customer=None,
            billing_details={"email": email or None, "name": None, "phone": None, "address": None},
            card={
                "brand": card.brand,
                "last4": plain[-4:],
                "exp_month": 12,
                "exp_year": 2040,
                "country": "US",
                "funding": "credit",
            },
            _number=plain,
            _confirmed=False,
        )
    )


def attach(world: World, method: Object, customer: Object) -> Object:
    """Keep a card for a customer's later payments, and pay with it from now on."""
    method["customer"] = customer["id"]
    world.save(method)
    customer["invoice_settings"]["default_payment_method"] = method["id"]
    world.save(customer)
    world.emit("payment_method.attached", method)
    world.emit("customer.updated", customer)
    return method


def method_of(world: World, name: str) -> Object:
    """Return a payment method by its id, or a new one for a name like `pm_card_visa`."""
    if name in TOKENS:
        return make_card(world, TOKENS[name])
    return world.get(name, "payment_method")


def behaviour(method: Object) -> Card:
    """Return how the card behind a payment method behaves."""
    return CARDS[method["_number"]]


def wants_confirmation(method: Object) -> bool:
    """Return whether the card asks for 3-D Secure before its next payment."""
    wish = behaviour(method).confirm
    return wish == "always" or (wish == "once" and not method["_confirmed"])


def pay(
    world: World,
    method: Object | None,
    *,
    customer: str,
    amount: int,
    invoice: str,
    confirmed: bool = False,
) -> Outcome:
    """Try to take an amount (cents). `confirmed`: the customer has just passed 3-D Secure."""
    if method is None:
        return Outcome("declined", decline="generic_decline")
    intent = world.make(
        "payment_intent",
        amount=amount,
        amount_received=0,
        currency="usd",
        customer=customer,
        payment_method=method["id"],
        latest_charge=None,
        last_payment_error=None,
        status="processing",
        _invoice=invoice,
    )
    if confirmed and not method["_confirmed"]:
        method["_confirmed"] = True
        world.save(method)
    elif not confirmed and wants_confirmation(method):
        intent["status"] = "requires_action"
        world.save(intent)
        world.emit("payment_intent.requires_action", intent)
        return Outcome("confirm", intent["id"], "authentication_required")
    return _charge(world, intent, method)


def _charge(world: World, intent: Object, method: Object) -> Outcome:
    card = behaviour(method)
    charge = world.make(
        "charge",
        amount=intent["amount"],
        amount_refunded=0,
        currency="usd",
        customer=intent["customer"],
        disputed=False,
        failure_code="card_declined" if card.decline else None,
        failure_message=SENTENCES[card.decline] if card.decline else None,
        paid=not card.decline,
        payment_intent=intent["id"],
        payment_method=method["id"],
        refunded=False,
        status="failed" if card.decline else "succeeded",
        _invoice=intent["_invoice"],
    )
    world.save(charge)
    intent["latest_charge"] = charge["id"]
    if card.decline:
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = {"code": "card_declined", "decline_code": card.decline}
        world.save(intent)
        world.emit("charge.failed", charge)
        world.emit("payment_intent.payment_failed", intent)
        return Outcome("declined", intent["id"], card.decline)
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    world.save(intent)
    world.emit("charge.succeeded", charge)
    world.emit("payment_intent.succeeded", intent)
    if card.disputes:
        dispute(world, charge)
    return Outcome("paid", intent["id"])


def dispute(world: World, charge: Object) -> Object:
    """Have the bank take a payment back for now."""
    charge["disputed"] = True
    world.save(charge)
    found = world.make(
        "dispute",
        amount=charge["amount"],
        charge=charge["id"],
        currency="usd",
        payment_intent=charge["payment_intent"],
        reason="fraudulent",
        status="needs_response",
        balance_transactions=[],
        enhanced_eligibility_types=[],
        evidence={},
        evidence_details={"due_by": world.now + 7 * DAY, "submission_count": 0},
        is_charge_refundable=False,
    )
    world.save(found)
    world.emit("charge.dispute.created", found)
    return found


def settle_dispute(world: World, found: Object, status: str) -> Object:
    """End a dispute, "won" or "lost"."""
    found["status"] = status
    world.save(found)
    world.emit("charge.dispute.closed", found)
    return found


def refund(world: World, charge: Object, amount: int | None, **more: Any) -> Object:
    """Give money back; all that is left of it unless an amount is named. Raises ApiError."""
    left = charge["amount"] - charge["amount_refunded"]
    wanted = left if amount is None else amount
    if not charge["paid"] or not 0 < wanted <= left:
        code = "charge_already_refunded" if charge["refunded"] else "amount_too_large"
        raise ApiError(f"Charge {charge['id']} cannot be refunded by {wanted}.", code=code)
    charge["amount_refunded"] += wanted
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    world.save(charge)
    made = world.make(
        "refund",
        amount=wanted,
        charge=charge["id"],
        currency="usd",
        customer=charge["customer"],
        payment_intent=charge["payment_intent"],
        status="succeeded",
        **more,
    )
    world.save(made)
    world.emit("refund.created", made)
    world.emit("charge.refunded", charge)
    return made
