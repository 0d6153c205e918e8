"""Makes products and prices at Stripe from the plans, and says what the portal offers.

A price of Stripe's never changes its amount: another amount is another price, which takes the old
one's look-up key over. Whoever pays the old one goes on to pay it.
"""

from dataclasses import dataclass
from typing import Any, cast

import stripe

from billing.models import Interval, Plan
from billing.stripe.client import A_PAGE, Object, everything, is_missing, plain, speaking
from billing.stripe.errors import NotOnSaleError
from billing.stripe.reading import PLAN_METADATA

PORTAL = {"nightsafe": "portal"}
CURRENCY = "usd"
REASONS = (
    *("too_expensive", "missing_features", "switched_service", "unused"),
    *("customer_service", "too_complex", "low_quality", "other"),
)


@dataclass(frozen=True)
class Published:
    """What `publish` found or made: prices by look-up key, and the portal's configuration."""

    prices: dict[str, str]
    portal: str


def publish() -> Published:
    """Bring products, prices and the portal at Stripe to what the plans say. May be repeated.

    Raises PaymentError.
    """
    prices: dict[str, str] = {}
    on_sale: list[tuple[str, list[str]]] = []
    with speaking() as client:
        for plan in Plan.objects.all():
            if not any(plan.cents(interval) for interval in Interval):
                continue
            product = _product(client, plan)
            found = {key: price for key, price in _prices(client, plan, product) if price}
            prices |= found
            if found:
                on_sale.append((product, list(found.values())))
        return Published(prices, _portal(client, on_sale))


def price_of(plan: Plan, interval: str) -> str:
    """Return the id of the price at which a plan is sold. Raises NotOnSaleError."""
    with speaking() as client:
        found = _active(client, plan.lookup_key(interval))
    if found is None:
        raise NotOnSaleError
    return str(found["id"])


def portal_configuration() -> str:
    """Return the id of the portal's configuration. Raises NotOnSaleError before `publish`."""
    with speaking() as client:
        found = _configuration(client)
    if found is None:
        raise NotOnSaleError
    return str(found["id"])


def _product(client: stripe.StripeClient, plan: Plan) -> str:
    name = f"nightsafe-{plan.slug}"
    said: Any = {"name": f"Nightsafe {plan.name}", "active": plan.on_offer}
    said["metadata"] = {PLAN_METADATA: plan.slug}
    try:
        there = plain(client.v1.products.retrieve(name))
    except stripe.InvalidRequestError as error:
        if not is_missing(error):
            raise
        said["id"] = name
        client.v1.products.create(said)
        return name
    if any(there.get(field) != value for field, value in said.items()):
        client.v1.products.update(name, said)
    return name


def _prices(client: stripe.StripeClient, plan: Plan, product: str) -> list[tuple[str, str]]:
    return [
        (plan.lookup_key(interval), _price(client, plan, interval, product))
        for interval in Interval
    ]


def _price(client: stripe.StripeClient, plan: Plan, interval: str, product: str) -> str:
    """Return the price that is sold, "" if there is none; end what is not sold any more."""
    key, cents = plan.lookup_key(interval), plan.cents(interval)
    there = _active(client, key)
    is_sold = plan.on_offer and cents > 0
    if there is not None and is_sold and there["unit_amount"] == cents:
        return str(there["id"])
    made = ""
    if is_sold:
        wish: Any = {
            "product": product,
            "currency": CURRENCY,
            "unit_amount": cents,
            "recurring": {"interval": str(interval)},
            "lookup_key": key,
            "transfer_lookup_key": True,
            "nickname": f"{plan.name}, {Interval(interval).label}",
            "metadata": {PLAN_METADATA: plan.slug},
            "tax_behavior": "exclusive",
        }
        replaced = there["id"] if there else ""
        options: Any = {"idempotency_key": f"price:{key}:{cents}:{replaced}"}
        made = client.v1.prices.create(wish, options).id
    if there is not None:
        client.v1.prices.update(there["id"], {"active": False})
    return made


def _active(client: stripe.StripeClient, key: str) -> Object | None:
    found = client.v1.prices.list({"lookup_keys": [key], "active": True})
    return next((plain(one) for one in found.data), None)


def _portal(client: stripe.StripeClient, on_sale: list[tuple[str, list[str]]]) -> str:
    wish: Any = {"features": _features(on_sale), "metadata": PORTAL}
    there = _configuration(client)
    if there is None:
        return client.v1.billing_portal.configurations.create(wish).id
    return client.v1.billing_portal.configurations.update(there["id"], wish).id


def _configuration(client: stripe.StripeClient) -> Object | None:
    found = everything(
        client.v1.billing_portal.configurations.list({"active": True, "limit": A_PAGE})
    )
    ours = [one for one in found if PORTAL.items() <= (one.get("metadata") or {}).items()]
    return min(ours, key=lambda one: cast(int, one["created"]), default=None)


def _features(on_sale: list[tuple[str, list[str]]]) -> Object:
    return {
        "customer_update": {"enabled": True, "allowed_updates": ["email", "address", "tax_id"]},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
        "subscription_cancel": {
            "enabled": True,
            "mode": "at_period_end",
            "cancellation_reason": {
                "enabled": True,
                "options": list(REASONS),
            },
        },
        "subscription_update": {
            "enabled": True,
            "default_allowed_updates": ["price"],
            "proration_behavior": "always_invoice",
            "products": [{"product": name, "prices": prices} for name, prices in on_sale],
            "schedule_at_period_end": {
                "conditions": [
                    {"type": "decreasing_item_amount"},
                    {"type": "shortening_interval"},
                ]
            },
        },
    }
