"""A stand-in for each test, and a customer who has subscribed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stripe import StripeClient

from tests.support.billing.stand_in import Browser, StandIn, running


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    with running(tmp_path) as started:
        yield started


@pytest.fixture
def stripe(stand_in: StandIn) -> StripeClient:
    return stand_in.client()


@dataclass
class Shop:
    """Two plans, monthly and yearly, and customers who buy them."""

    stripe: StripeClient
    prices: dict[str, str]

    def customer(self, **more: Any) -> str:
        wish: Any = {"email": "alice@example.org", **more}
        return self.stripe.v1.customers.create(wish).id

    def checkout(self, customer: str, price: str = "small-month", **more: Any) -> Any:
        wish: Any = {
            "mode": "subscription",
            "customer": customer,
            "line_items": [{"price": self.prices[price], "quantity": 1}],
            "success_url": "http://site.test/back?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://site.test/billing/",
            "allow_promotion_codes": True,
            **more,
        }
        return self.stripe.v1.checkout.sessions.create(wish)

    def buy(self, price: str = "small-month", number: str = "4242 4242 4242 4242") -> Any:
        """Return the subscription of a new customer who bought at Checkout."""
        customer, browser = self.customer(), Browser()
        session = self.checkout(customer, price)
        browser.post(session.url, number=number)
        if browser.location.endswith("/confirm"):
            where = session.url.rsplit("/c/", 1)[0] + browser.location
            browser.post(where, answer="yes")
        assert browser.status == 303, browser.last
        return self.only(customer)

    def only(self, customer: str) -> Any:
        (found,) = self.stripe.v1.subscriptions.list({"customer": customer, "status": "all"}).data
        return found

    def invoices(self, customer: str) -> list[Any]:
        return self.stripe.v1.invoices.list({"customer": customer, "limit": 100}).data

    def events(self) -> list[str]:
        found = self.stripe.v1.events.list({"limit": 100})
        return [str(event.type) for event in found.auto_paging_iter()][::-1]

    def portal(self, customer: str) -> str:
        features: Any = {
            "subscription_update": {
                "enabled": True,
                "default_allowed_updates": ["price"],
                "proration_behavior": "always_invoice",
                "products": [
                    {"product": "small", "prices": [self.prices["small-month"]]},
                    {
                        "product": "big",
                        "prices": [self.prices["big-month"], self.prices["big-year"]],
                    },
                ],
                "schedule_at_period_end": {
                    "conditions": [
                        {"type": "decreasing_item_amount"},
                        {"type": "shortening_interval"},
                    ]
                },
            },
            "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
        }
        configuration = self.stripe.v1.billing_portal.configurations.create({"features": features})
        return self.stripe.v1.billing_portal.sessions.create(
            {
                "customer": customer,
                "configuration": configuration.id,
                "return_url": "http://site.test/billing/",
            }
        ).url


@pytest.fixture
def shop(stripe: StripeClient) -> Shop:
    prices = {}
    for plan, cents in (("small", 500), ("big", 1000)):
        product = stripe.v1.products.create({"id": plan, "name": plan.title()})
        for interval, times in (("month", 1), ("year", 10)):
            prices[f"{plan}-{interval}"] = stripe.v1.prices.create(
                {
                    "product": product.id,
                    "currency": "usd",
                    "unit_amount": cents * times,
                    "recurring": {"interval": "year" if interval == "year" else "month"},
                    "lookup_key": f"{plan}-{interval}",
                }
            ).id
    return Shop(stripe, prices)
