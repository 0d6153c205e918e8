"""Alice's account, and a payment service that this service is connected with."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django import Settings
from stripe import HTTPClient, StripeClient, WebhookSignature

from accounts.actions import open_account
from accounts.models import Account, User
from backup_service import clock
from billing.models import Plan, Subscription
from billing.stripe import catalogue, checkout
from billing.stripe.sync import sync
from tests.support.billing.stand_in import Browser, StandIn, running
from tests.support.pages import Client
from tests.support.responses import Response

GB = 10**9
GOOD, FAILS_LATER = "4242424242424242", "4000000000000341"


@dataclass
class Payments:
    """The payment service with the plans' prices, and what customers and Stripe do there."""

    stand_in: StandIn
    stripe: StripeClient
    browser: Browser = field(default_factory=Browser)

    def pay(
        self, account: Account, plan: str = "personal", number: str = GOOD, **more: str
    ) -> None:
        """Have an account pay for a plan at Checkout; nothing here hears of it."""
        chosen = Plan.objects.get(slug=plan)
        url = checkout.checkout(account, plan=chosen, interval=more.pop("interval", "month"))
        self.browser.post(url, number=number, **more)
        if self.browser.location.endswith("/confirm"):
            self.browser.post(self.stand_in.address + self.browser.location, answer="yes")
        assert self.browser.status == 303, self.browser.last

    def subscribe(self, account: Account, plan: str = "personal", **more: str) -> Subscription:
        """Have an account pay for a plan, and its row know it."""
        self.pay(account, plan, **more)
        return self.synced(account)

    def synced(self, account: Account) -> Subscription:
        row = sync(account)
        assert row is not None
        return row

    def portal(self, account: Account, **form: str) -> None:
        """Press a button of the portal."""
        row = Subscription.objects.get(account=account)
        form.setdefault("subscription", row.stripe_subscription)
        self.browser.post(checkout.portal(account), **form)
        assert self.browser.status == 303, self.browser.last

    def price(self, key: str) -> str:
        (found,) = self.stripe.v1.prices.list({"lookup_keys": [key], "active": True}).data
        return found.id

    def events(self) -> list[dict[str, Any]]:
        """All events, in the order in which they happened."""
        page = self.stripe.v1.events.list({"limit": 100})
        return [event.to_dict(for_json=True) for event in page.auto_paging_iter()][::-1]

    def send(self, client: Client, event: dict[str, Any], **more: Any) -> Response:
        """Send an event as the payment service does, signed now."""
        return send(client, json.dumps(event), self.stand_in.webhook_secret, **more)

    def spoil(self, subscription: str, **fields: Any) -> None:
        """Have the payment service say of a subscription's item what makes no sense."""
        with closing(sqlite3.connect(self.stand_in.folder / "payments.sqlite3")) as data, data:
            named = "WHERE id = ?", (subscription,)
            ((text,),) = data.execute(f"SELECT body FROM objects {named[0]}", named[1])
            body = json.loads(text)
            body["items"]["data"][0] |= fields
            data.execute(f"UPDATE objects SET body = ? {named[0]}", (json.dumps(body), *named[1]))

    def owed(self, account: Account) -> list[Any]:
        customer = Subscription.objects.get(account=account).stripe_customer
        return self.stripe.v1.invoices.list({"customer": customer, "status": "open"}).data


def send(
    client: Client, body: str, secret: str, *, at: int | None = None, signature: str | None = None
) -> Response:
    """Post a body to the webhook, signed with a secret at a moment (seconds since 1970)."""
    sent = int(clock.now().timestamp()) if at is None else at
    signed = WebhookSignature.generate_signature_header(body, secret, sent)
    return client.post(
        "/billing/webhook/",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": signed if signature is None else signature},
    )


@pytest.fixture
def payments(
    tmp_path: Path, settings: Settings, db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Payments]:
    """A running payment service whose clock is also this service's."""
    cache.clear()
    for delay in ("INITIAL_DELAY", "MAX_DELAY"):  # before the library tries again, in seconds
        monkeypatch.setattr(HTTPClient, delay, 0.01)
    folder = tmp_path / "payments"
    folder.mkdir()
    with running(folder, is_in_threads=True) as stand_in:
        settings.STRIPE_API_KEY = stand_in.api_key
        settings.STRIPE_API_BASE = stand_in.address
        settings.STRIPE_WEBHOOK_SECRETS = [stand_in.webhook_secret]
        settings.CLOCK_FILE = stand_in.clock_file
        catalogue.publish()
        yield Payments(stand_in, stand_in.client())


def owner(email: str) -> Account:
    return open_account(User.objects.create_user(email, "a slot in the wall"))


@pytest.fixture
def alice(db: None) -> Account:
    return owner("alice@example.org")


@pytest.fixture
def bob(db: None) -> Account:
    return owner("bob@example.org")


def browser_of(account: Account) -> Client:
    """The site's pages, signed in as the account's owner."""
    client = Client()
    user = account.memberships.get(role="owner").user
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client
