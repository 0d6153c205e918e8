"""Test cards: Stripe's own numbers, and what they do there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """How a card behaves. `decline` is the code of its refusal, if it refuses payments."""

    brand: str = "visa"
    decline: str = ""
    attaches: bool = True  # whether it can be kept for later
    confirm: str = "never"  # 3-D Secure: "never", "once" (then it pays by itself), "always"
    disputes: bool = False
    title: str = "pays"


CARDS = {
    "4242424242424242": Card(title="pays"),
    "5555555555554444": Card(brand="mastercard", title="pays"),
    "4000000000000002": Card(decline="generic_decline", attaches=False, title="is declined"),
    "4000000000009995": Card(decline="insufficient_funds", attaches=False, title="has no money"),
    "4000000000000341": Card(decline="generic_decline", title="can be kept, and fails to pay"),
    "4000002500003155": Card(confirm="once", title="wants 3-D Secure once"),
    "4000002760003184": Card(confirm="always", title="wants 3-D Secure for every payment"),
    "4000000000000259": Card(disputes=True, title="pays, and the payment is disputed"),
}
# What the library's users name instead of a number, of which no server of theirs should know.
TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_createDispute": "4000000000000259",
}
SENTENCES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def card_of(number: str) -> Card | None:
    """Return how the card of a number behaves; None for one that is no test card."""
    return CARDS.get("".join(number.split()))
