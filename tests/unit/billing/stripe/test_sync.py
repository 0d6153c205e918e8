"""From what happens at the payment service to what an account may do here."""

from datetime import timedelta

import pytest
import stripe

from accounts.actions import open_account
from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent, User
from backup_service import clock
from billing.actions import entitlements_of, subscribe
from billing.models import Plan, Subscription
from billing.stripe import catalogue, checkout
from billing.stripe.client import API_VERSION
from billing.stripe.errors import (
    AlreadySubscribedError,
    NotConfiguredError,
    NotOnSaleError,
    UnavailableError,
)
from billing.stripe.sync import sync, sync_customer
from tests.unit.billing.conftest import FAILS_LATER, GB, GOOD, Payments

DAY = 86400


def verbs(account: Account) -> list[str]:
    return list(
        AuditEvent.objects.filter(account=account).order_by("pk").values_list("verb", flat=True)
    )[1:]


def test_paying_makes_the_quota_grow_at_once(payments: Payments, alice: Account) -> None:
    assert entitlements_of(alice).quota == 5 * GB
    row = payments.subscribe(alice, "plus", interval="year")
    assert entitlements_of(alice).quota == 500 * GB
    assert (row.plan.slug, row.interval, row.stripe_status) == ("plus", "year", "active")
    assert row.period_ends_at is not None
    assert timedelta(364) < row.period_ends_at - clock.now() < timedelta(367)
    assert verbs(alice) == ["plan.change"]
    payments.synced(alice)
    assert verbs(alice) == ["plan.change"]  # what did not change is not told again


def test_three_d_secure(payments: Payments, alice: Account) -> None:
    assert payments.subscribe(alice, number="4000002500003155").plan.slug == "personal"


def test_up_at_once_and_down_at_the_end(payments: Payments, alice: Account) -> None:
    payments.subscribe(alice, "personal")
    payments.portal(alice, act="change", price=payments.price("nightsafe-plus-month"))
    assert payments.synced(alice).plan.slug == "plus"
    payments.portal(alice, act="change", price=payments.price("nightsafe-personal-month"))
    row = payments.synced(alice)
    assert row.scheduled_plan is not None
    assert (row.plan.slug, row.scheduled_plan.slug) == ("plus", "personal")
    payments.stand_in.travel(32 * DAY)
    row = payments.synced(alice)
    assert (row.plan.slug, row.scheduled_plan) == ("personal", None)


def test_cancelled_it_ends_with_its_period_and_the_free_plan_follows(
    payments: Payments, alice: Account
) -> None:
    payments.subscribe(alice)
    payments.portal(alice, act="cancel", feedback="unused")
    row = payments.synced(alice)
    assert (row.cancels_at_period_end, row.plan.slug) == (True, "personal")
    payments.stand_in.travel(32 * DAY)
    row = payments.synced(alice)
    assert (row.plan.slug, row.stripe_subscription, row.cancels_at_period_end) == (
        "free",
        "",
        False,
    )
    assert row.plan_since > clock.now() - timedelta(minutes=1)
    payments.subscribe(alice, "plus")  # and may come back
    assert entitlements_of(alice).quota == 500 * GB


def test_a_failing_card_goes_down_the_ladder_and_paying_ends_it(
    payments: Payments, alice: Account
) -> None:
    row = payments.subscribe(alice)
    payments.portal(alice, act="card", number=FAILS_LATER)
    assert row.period_ends_at is not None
    failed = row.period_ends_at
    seen = []
    payments.stand_in.travel((failed - clock.now()).total_seconds() + 60)
    for days in (0, 14, 1, 46, 30):
        payments.stand_in.travel(days * DAY)
        row = payments.synced(alice)
        now = entitlements_of(alice)
        seen.append((row.stripe_status, now.may_store, now.may_remove, now.may_restore))
        assert row.unpaid_since == failed
    assert seen == [
        ("past_due", True, True, True),
        ("unpaid", True, True, True),
        ("unpaid", False, True, True),
        ("unpaid", False, False, True),
        ("unpaid", False, False, False),
    ]
    (owed,) = payments.owed(alice)
    payments.browser.post(owed.hosted_invoice_url or "", number=GOOD)
    row = payments.synced(alice)
    assert (row.unpaid_since, row.stripe_status) == (None, "active")
    assert entitlements_of(alice).may_store
    assert verbs(alice) == ["plan.change", "payment.fail", "payment.settle"]


def test_while_the_card_is_tried_again_service_goes_on(payments: Payments, alice: Account) -> None:
    payments.subscribe(alice)
    payments.portal(alice, act="card", number=FAILS_LATER)
    payments.stand_in.travel(32 * DAY)
    row = payments.synced(alice)
    assert row.retry_at is not None
    assert row.unpaid_since is not None
    assert row.retry_at - row.unpaid_since == timedelta(days=3)
    assert entitlements_of(alice).may_store


def test_deleted_at_stripe_by_hand(payments: Payments, alice: Account) -> None:
    row = payments.subscribe(alice)
    payments.stripe.v1.subscriptions.cancel(row.stripe_subscription)
    assert payments.synced(alice).plan.slug == "free"
    assert payments.synced(alice).stripe_subscription == ""


def test_a_refund_leaves_the_plan_as_it_is(payments: Payments, alice: Account) -> None:
    row = payments.subscribe(alice)
    (charge,) = payments.stripe.v1.charges.list({"customer": row.stripe_customer}).data
    payments.stripe.v1.refunds.create({"charge": charge.id})
    row = payments.synced(alice)
    assert (row.plan.slug, row.unpaid_since) == ("personal", None)


def test_a_dispute_is_on_record_and_service_goes_on(payments: Payments, alice: Account) -> None:
    row = payments.subscribe(alice, number="4000000000000259")
    assert row.is_disputed
    assert entitlements_of(alice).may_store
    assert verbs(alice) == ["plan.change", "payment.dispute"]
    (dispute,) = payments.stripe.v1.disputes.list().data
    payments.stripe.v1.disputes.close(dispute.id)
    assert not payments.synced(alice).is_disputed


def test_a_plan_that_is_withdrawn_keeps_those_who_pay_it(
    payments: Payments, alice: Account, bob: Account
) -> None:
    payments.subscribe(alice)
    Plan.objects.filter(slug="personal").update(on_offer=False)
    catalogue.publish()
    with pytest.raises(NotOnSaleError):
        checkout.checkout(bob, plan=Plan.objects.get(slug="personal"), interval="month")
    payments.stand_in.travel(32 * DAY)
    row = payments.synced(alice)
    assert (row.plan.slug, row.stripe_status) == ("personal", "active")
    assert entitlements_of(alice).quota == 200 * GB


def test_a_dearer_price_is_for_new_customers(
    payments: Payments, alice: Account, bob: Account
) -> None:
    payments.subscribe(alice)
    Plan.objects.filter(slug="personal").update(month_cents=600)
    before = catalogue.publish()
    assert catalogue.publish() == before  # again changes nothing
    payments.subscribe(bob)
    payments.stand_in.travel(32 * DAY)
    paid = {
        account.pk: payments.stripe.v1.invoices.list(
            {"customer": payments.synced(account).stripe_customer}
        )
        .data[0]
        .amount_paid
        for account in (alice, bob)
    }
    assert paid == {alice.pk: 500, bob.pk: 600}
    assert payments.synced(alice).plan.slug == "personal"


def test_an_older_reading_does_not_overwrite_a_newer_one(
    payments: Payments, alice: Account
) -> None:
    row = payments.subscribe(alice)
    newer = clock.now() + timedelta(seconds=30)
    Subscription.objects.filter(pk=row.pk).update(synced_at=newer, stripe_status="past_due")
    assert payments.synced(alice).stripe_status == "past_due"
    Subscription.objects.filter(pk=row.pk).update(synced_at=newer + timedelta(days=400))
    assert payments.synced(alice).stripe_status == "active"  # a clock that was ahead is no reason


def test_a_plan_that_staff_gave_is_left_alone(payments: Payments, alice: Account) -> None:
    subscribe(alice, plan="plus", actor=SERVICE)
    checkout.portal(alice)  # a customer at Stripe who pays for nothing
    row = payments.synced(alice)
    assert (row.plan.slug, row.stripe_subscription) == ("plus", "")


def test_a_customer_who_was_deleted_at_stripe_comes_back_as_another(
    payments: Payments, alice: Account
) -> None:
    checkout.portal(alice)
    Subscription.objects.filter(account=alice).update(stripe_customer="cus_deleted")
    row = payments.subscribe(alice)
    assert row.stripe_customer != "cus_deleted"
    assert row.plan.slug == "personal"


def test_somebody_elses_customer_is_nobody_here(payments: Payments, alice: Account) -> None:
    stranger = payments.stripe.v1.customers.create({"email": "x@example.org"})
    assert sync_customer(stranger.id) is None
    assert sync_customer("") is None
    assert sync(alice) is None


def test_what_was_bought_twice_is_ended_and_given_back(payments: Payments, alice: Account) -> None:
    row = payments.subscribe(alice)
    second = payments.stripe.v1.subscriptions.create(
        {
            "customer": row.stripe_customer,
            "items": [{"price": payments.price("nightsafe-plus-month")}],
            "metadata": {"nightsafe_account": alice.public_id},
        }
    )
    foreign = payments.stripe.v1.subscriptions.create(
        {
            "customer": row.stripe_customer,
            "items": [{"price": payments.price("nightsafe-plus-month")}],
        }
    )
    row = payments.synced(alice)
    assert row.plan.slug == "personal"
    statuses = {
        one.id: one.status
        for one in payments.stripe.v1.subscriptions.list(
            {"customer": row.stripe_customer, "status": "all"}
        ).data
    }
    assert statuses == {
        row.stripe_subscription: "active",
        second.id: "canceled",
        foreign.id: "active",
    }
    refunds = payments.stripe.v1.refunds.list().data
    assert [(refund.amount, refund.reason) for refund in refunds] == [(1000, "duplicate")]
    payments.synced(alice)
    assert len(payments.stripe.v1.refunds.list().data) == 1
    assert verbs(alice).count("payment.twice") == 1


def test_without_a_key_no_payments_and_without_stripe_a_plain_answer(
    payments: Payments, alice: Account, settings: object
) -> None:
    payments.subscribe(alice)
    payments.stand_in.stop()
    with pytest.raises(UnavailableError):
        sync(alice)
    assert entitlements_of(alice).quota == 200 * GB
    payments.stand_in.start()
    assert payments.synced(alice).plan.slug == "personal"
    settings.STRIPE_API_KEY = ""  # type: ignore[attr-defined]
    with pytest.raises(NotConfiguredError):
        sync(alice)


def test_the_pinned_version_is_the_one_that_the_library_was_made_for() -> None:
    assert stripe.api_version == API_VERSION


def test_two_who_pay_for_one_account_pay_once(payments: Payments, alice: Account) -> None:
    payments.pay(alice)  # the webhook has not come, nobody has looked
    with pytest.raises(AlreadySubscribedError):
        checkout.checkout(alice, plan=Plan.objects.get(slug="plus"), interval="month")


def test_an_account_without_an_owner_can_be_a_customer(payments: Payments) -> None:
    account = open_account(User.objects.create_user("gone@example.org"))
    account.memberships.all().delete()
    assert checkout.portal(account).startswith(payments.stand_in.address)
