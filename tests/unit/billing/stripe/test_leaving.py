"""Closing an account ends what it pays for, at once; erasing it deletes the customer."""

from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.closing import work
from accounts.closing.actions import close
from accounts.models import Account, Closing
from backup_service import clock
from billing import closing, unpaid
from billing.closing import StillOwedError
from billing.models import Plan, StripeEvent, Subscription
from billing.stripe import checkout, leaving
from tests.unit.billing.conftest import FAILS_LATER, GOOD, Payments

pytestmark = pytest.mark.django_db
Step = Closing.Step


def go_on() -> None:
    Closing.objects.update(next_attempt_at=clock.now())
    work.work_off(closing.STEPS, seconds=20)


def subscriptions(payments: Payments, customer: str) -> list[str]:
    found = payments.stripe.v1.subscriptions.list({"customer": customer, "status": "all"})
    return [one.status for one in found.data]


def test_closing_ends_the_plan_without_a_further_charge(payments: Payments, alice: Account) -> None:
    row = payments.subscribe(alice)
    close(alice, reason=Closing.Reason.OWNER, actor=SERVICE)
    go_on()
    row.refresh_from_db()
    assert subscriptions(payments, row.stripe_customer) == ["canceled"]
    assert (row.plan.slug, row.stripe_subscription) == ("free", "")
    assert Closing.objects.get().step == Step.COOLING
    invoices = payments.stripe.v1.invoices.list({"customer": row.stripe_customer})
    assert [one.status for one in invoices.data] == ["paid"]


def test_a_payment_page_that_is_open_is_closed(payments: Payments, alice: Account) -> None:
    plan = Plan.objects.get(slug="personal")
    url = checkout.checkout(alice, plan=plan, interval="month")
    customer = Subscription.objects.get(account=alice).stripe_customer
    assert leaving.end_subscriptions(customer) == 0
    payments.browser.post(url, number="4242424242424242")
    assert payments.browser.status != 303
    assert subscriptions(payments, customer) == []


def test_it_may_be_repeated(payments: Payments, alice: Account) -> None:
    customer = payments.subscribe(alice).stripe_customer
    assert [leaving.end_subscriptions(customer) for _ in range(2)] == [1, 0]
    for _ in range(2):
        leaving.delete_customer(customer)
    leaving.delete_customer("cus_nobody")
    assert leaving.end_subscriptions("cus_nobody") == 0


def test_erasure_deletes_the_customer_and_leaves_the_invoices(
    payments: Payments, alice: Account
) -> None:
    row = payments.subscribe(alice)
    customer = row.stripe_customer
    StripeEvent.objects.create(
        event_id="evt_1", type="x", customer=customer, created_at=clock.now(), body=b"alice@"
    )
    close(alice, reason=Closing.Reason.OWNER, actor=SERVICE)
    Closing.objects.update(step=Step.PAYMENTS)
    go_on()
    assert Closing.objects.get().step == Step.LETTER
    assert payments.stripe.v1.customers.retrieve(customer).deleted
    assert subscriptions(payments, customer) == ["canceled"]
    assert len(payments.stripe.v1.invoices.list({"customer": customer}).data) == 1
    assert not StripeEvent.objects.filter(customer=customer).exists()
    row.refresh_from_db()
    assert row.stripe_customer == ""


def test_while_stripe_is_away_it_waits_and_goes_on(payments: Payments, alice: Account) -> None:
    payments.subscribe(alice)
    close(alice, reason=Closing.Reason.OWNER, actor=SERVICE)
    payments.stand_in.stop()
    go_on()
    row = Closing.objects.get()
    assert (row.step, row.attempts, row.error) == (Step.SUBSCRIPTION, 1, "UnavailableError")
    payments.stand_in.start()
    go_on()
    assert Closing.objects.get().step == Step.COOLING


def test_a_debt_that_is_paid_opens_the_account(alice: Account) -> None:
    row = Subscription.objects.create(
        account=alice,
        plan=Plan.objects.get(slug="personal"),
        unpaid_since=clock.now() - timedelta(days=95),
    )
    close(alice, reason=Closing.Reason.UNPAID, actor=SERVICE)
    unpaid.tend()
    assert closing.reopen_settled() == 0
    with pytest.raises(StillOwedError):
        closing.reopen(alice, actor=SERVICE)
    Subscription.objects.filter(pk=row.pk).update(unpaid_since=None)
    assert closing.reopen_settled() == 1
    alice.refresh_from_db()
    assert alice.state == Account.State.ACTIVE


def owes(payments: Payments, account: Account) -> Closing:
    """Have an account owe for a month, and be closed for that and wait for its erasure."""
    payments.subscribe(account)
    payments.portal(account, act="card", number=FAILS_LATER)
    payments.stand_in.travel(40 * 86400)
    assert payments.synced(account).unpaid_since is not None
    close(account, reason=Closing.Reason.UNPAID, actor=SERVICE)
    Closing.objects.update(step=Step.COOLING)
    return Closing.objects.get()


def test_stripe_is_asked_before_an_account_is_erased_for_a_debt(
    payments: Payments, alice: Account
) -> None:
    row = owes(payments, alice)
    for invoice in payments.owed(alice):  # and the message of that never comes
        payments.browser.post(invoice.hosted_invoice_url, number=GOOD)
    closing.begin_erasure(row)
    alice.refresh_from_db()
    assert alice.state == Account.State.ACTIVE


def test_who_owes_still_is_erased(payments: Payments, alice: Account) -> None:
    closing.begin_erasure(owes(payments, alice))
    alice.refresh_from_db()
    assert alice.state == Account.State.ERASED
