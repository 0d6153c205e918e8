"""The API about plan and payments: what it tells, and where it leads."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from accounts.audit import OPERATOR
from accounts.closing.actions import close
from accounts.models import Account, Membership, User
from backup_service import clock
from billing.actions import subscribe
from billing.grants import grant
from billing.models import Plan, Subscription
from tests.support.customers.api import program
from tests.unit.billing.conftest import GB, GOOD, Payments

pytestmark = pytest.mark.django_db


def seat(account: Account, role: str) -> None:
    user = User.objects.create_user(f"{role}@example.org", "a slot in the wall")
    Membership.objects.create(account=account, user=user, role=role)


def test_paying_for_a_plan(payments: Payments, alice: Account) -> None:
    asks = program(alice, "billing")
    assert asks.get("billing/").json()["state"] == "normal"
    begun = asks.post(
        "billing/checkout/", {"plan": "personal", "interval": "month"}, idempotency_key="c-1"
    )
    assert begun.status_code == 201
    again = asks.post(
        "billing/checkout/", {"plan": "personal", "interval": "month"}, idempotency_key="c-1"
    )
    assert again.json() == {"url": None}
    payments.browser.post(begun.json()["url"], number=GOOD)
    payments.synced(alice)
    told = asks.get("billing/").json()
    assert (told["plan"], told["interval"], told["quota"]) == ("personal", "month", 200 * GB)
    assert told["text"].startswith("All is paid")
    (invoice,) = asks.get("billing/invoices/").json()["results"]
    assert (invoice["total"], invoice["status"], invoice["is_owed"]) == (500, "paid", False)
    assert asks.get("billing/invoices/").json()["next_total"] == 500
    twice = asks.post("billing/checkout/", {"plan": "plus", "interval": "month"})
    assert (twice.status_code, twice.json()["code"]) == (409, "already-subscribed")
    assert asks.post("billing/portal/").json()["url"].startswith(payments.stand_in.address)


def test_the_payment_service_is_away(payments: Payments, alice: Account) -> None:
    subscribe(alice, plan="personal", actor=OPERATOR)
    Subscription.objects.update(stripe_customer="cus_1")
    payments.stand_in.stop()
    asks = program(alice, "billing")
    for told in (
        asks.get("billing/invoices/"),
        asks.post("billing/portal/"),
        asks.post("billing/checkout/", {"plan": "personal", "interval": "month"}),
    ):
        assert (told.status_code, told.json()["code"]) == (503, "payments-away")
        assert told["Content-Type"] == "application/problem+json"


def test_nobody_pays_for_an_account_that_is_closed(payments: Payments, alice: Account) -> None:
    close(alice, reason="owner", actor=OPERATOR)
    told = program(alice, "billing").post(
        "billing/checkout/", {"plan": "personal", "interval": "month"}
    )
    assert (told.status_code, told.json()["code"]) == (409, "closed")
    assert payments.stripe.v1.checkout.sessions.list({"status": "open"}).data == []


def test_a_service_that_takes_no_payments(alice: Account, settings: Settings) -> None:
    settings.STRIPE_API_KEY = ""
    asks = program(alice, "billing")
    told = asks.post("billing/checkout/", {"plan": "personal", "interval": "month"})
    assert (told.status_code, told.json()["code"]) == (409, "not-on-sale")
    assert asks.get("billing/invoices/").json()["results"] == []


@pytest.mark.parametrize(
    "said", [{"plan": "none", "interval": "month"}, {"plan": "plus", "interval": "day"}, {}]
)
def test_what_nobody_can_buy(alice: Account, said: object) -> None:
    assert program(alice, "billing").post("billing/checkout/", said).status_code == 400


def test_a_plan_that_is_not_on_offer_any_more(alice: Account, settings: Settings) -> None:
    settings.STRIPE_API_KEY = "sk_test_x"
    Plan.objects.filter(slug="plus").update(on_offer=False)
    asks = program(alice, "billing")
    assert "plus" not in {one["slug"] for one in asks.get("billing/plans/").json()["results"]}
    told = asks.post("billing/checkout/", {"plan": "plus", "interval": "month"})
    assert (told.status_code, told.json()["code"]) == (409, "not-on-sale")


def test_grants_without_who_gave_them_and_why(alice: Account) -> None:
    grant(alice, days=14, reason="while you move", quota_bytes=10 * GB, actor=OPERATOR)
    asks = program(alice, "read")
    told = asks.get("billing/grants/")
    (one,) = told.json()["results"]
    assert one["quota_bytes"] == 10 * GB
    assert OPERATOR.label not in told.content.decode()
    assert "while you move" not in told.content.decode()
    assert asks.get("billing/").json()["granted_bytes"] == 10 * GB


def test_what_happens_when_nobody_pays(alice: Account) -> None:
    subscribe(alice, plan="personal", actor=OPERATOR)
    Subscription.objects.update(unpaid_since=clock.now() - timedelta(days=20))
    told = program(alice, "read").get("billing/").json()
    assert (told["state"], told["may_store"], told["may_restore"]) == ("read-only", False, True)
    assert told["reason"]
    assert len(told["steps"]) >= 3
    assert not any("stripe" in name for name in told)


@pytest.mark.parametrize(
    ("role", "scope", "sees", "pays"),
    [
        ("owner", "billing", True, True),
        ("owner", "read", True, False),
        ("owner", "write", True, False),
        ("admin", "billing", True, False),
        ("auditor", "billing", True, False),
        ("member", "billing", False, False),
        ("member", "read", False, False),
    ],
)
def test_who_sees_and_who_pays(
    alice: Account, role: str, scope: str, *, sees: bool, pays: bool
) -> None:
    if role != "owner":
        seat(alice, role)
    asks = program(alice, scope, role)
    for path in ("billing/", "billing/plans/", "billing/grants/", "billing/invoices/"):
        assert asks.get(path).status_code == (200 if sees else 403), path
    for path in ("billing/checkout/", "billing/portal/"):
        assert (asks.post(path).status_code != 403) == pays, path
