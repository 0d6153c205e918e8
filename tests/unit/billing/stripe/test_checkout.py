"""Two tabs, and what keeps them from buying twice."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.audit import SERVICE
from accounts.closing.actions import close
from accounts.models import Account
from billing.models import Plan
from billing.stripe import catalogue, checkout
from billing.stripe.errors import AlreadySubscribedError, ClosedAccountError, NotOnSaleError
from tests.support.billing.stand_in import Browser
from tests.unit.billing.conftest import GOOD, Payments

GONE = "Nothing was paid here"


def begin(account: Account, plan: str) -> str:
    return checkout.checkout(account, plan=Plan.objects.get(slug=plan), interval="month")


def subscriptions(payments: Payments, account: Account) -> list[str]:
    row = payments.synced(account)
    found = payments.stripe.v1.subscriptions.list({"customer": row.stripe_customer})
    return [one.id for one in found.data]


def test_the_newest_page_is_the_only_one_that_takes_money(
    payments: Payments, alice: Account
) -> None:
    first, second = begin(alice, "personal"), begin(alice, "plus")
    browser = Browser()
    assert GONE in browser.post(first, number=GOOD)
    browser.post(second, number=GOOD)
    assert browser.status == 303
    assert payments.synced(alice).plan.slug == "plus"
    assert len(subscriptions(payments, alice)) == 1


def test_a_page_that_was_paid_at_lets_no_other_one_open(payments: Payments, alice: Account) -> None:
    first = begin(alice, "personal")
    Browser().post(first, number=GOOD)
    with pytest.raises(AlreadySubscribedError):
        begin(alice, "plus")
    open_ones = payments.stripe.v1.checkout.sessions.list({"status": "open"}).data
    assert open_ones == []


def test_closed_while_the_page_was_made_it_takes_no_money(
    payments: Payments, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed_meanwhile(plan: Plan, interval: str) -> str:
        close(alice, reason="owner", actor=SERVICE)
        return catalogue.price_of(plan, interval)

    monkeypatch.setattr(checkout, "price_of", closed_meanwhile)
    with pytest.raises(ClosedAccountError):
        begin(alice, "personal")
    assert payments.stripe.v1.checkout.sessions.list({"status": "open"}).data == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_many_tabs_at_once_end_in_one_subscription(
    payments: Payments, alice: Account, chance: random.Random
) -> None:
    """All press the button at the same moment, and all pay wherever they were led."""
    if connection.vendor != "postgresql":
        pytest.skip("threads cannot write into one SQLite database in memory")
    gate = threading.Barrier(6)

    def tab(plan: str) -> str:
        try:
            gate.wait(20)
            url = begin(alice, plan)
            browser = Browser()
            browser.post(url, number=GOOD)
            return str(browser.status)
        except AlreadySubscribedError:
            return "already"
        finally:
            connection.close()

    plans = [chance.choice(["personal", "plus"]) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        ends = list(pool.map(tab, plans))
    assert set(ends) <= {"303", "410", "404", "already"}, ends
    if "303" not in ends:  # every page was closed by a newer one
        payments.pay(alice)
    assert len(subscriptions(payments, alice)) == 1
    paid = payments.stripe.v1.invoices.list({"status": "paid"}).data
    refunded = payments.stripe.v1.refunds.list().data
    assert len(paid) - len(refunded) == 1


def test_every_account_is_one_customer(payments: Payments, alice: Account, bob: Account) -> None:
    for account in (alice, alice, bob):
        checkout.portal(account)
    found = payments.stripe.v1.customers.list().data
    assert [one.metadata["nightsafe_account"] for one in found if one.metadata] == [
        bob.public_id,
        alice.public_id,
    ]
    assert found[-1].email == "alice@example.org"


@pytest.mark.parametrize(("plan", "interval"), [("free", "month"), ("personal", "week")])
def test_what_is_not_sold_cannot_be_bought(
    payments: Payments, alice: Account, plan: str, interval: str
) -> None:
    Plan.objects.filter(slug="free").update(month_cents=0)
    chosen = Plan.objects.get(slug=plan)
    if interval == "week":
        Plan.objects.filter(pk=chosen.pk).update(month_cents=0)
        chosen.refresh_from_db()
    with pytest.raises(NotOnSaleError):
        checkout.checkout(alice, plan=chosen, interval=interval)
