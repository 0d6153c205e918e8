"""Events in any order and number end in one state; what fails is tried again, then parked."""

import json
import random
from datetime import timedelta

import pytest

from accounts.models import Account, AuditEvent, Notice
from backup_service import clock
from billing import reconcile
from billing.actions import entitlements_of
from billing.models import StripeEvent, Subscription
from billing.webhooks import work
from tests.support.pages import Client
from tests.unit.billing.conftest import FAILS_LATER, GB, Payments

DAY = 86400


def ledger(account: Account) -> list[str]:
    events = AuditEvent.objects.filter(account=account).order_by("pk")
    return list(events.values_list("verb", flat=True))[1:]


def states() -> dict[str, int]:
    found = StripeEvent.objects.values_list("state", flat=True)
    return {state: list(found).count(state) for state in set(found)}


def test_events_five_times_each_shuffled_and_three_days_late_make_one_ledger(
    payments: Payments, alice: Account, bob: Account, chance: random.Random
) -> None:
    payments.pay(alice)
    payments.pay(bob, "plus")
    row = Subscription.objects.get(account=alice)
    (subscription,) = payments.stripe.v1.subscriptions.list({"customer": row.stripe_customer}).data
    payments.stripe.v1.subscriptions.update(
        subscription.id, {"items": [{"price": payments.price("nightsafe-plus-month")}]}
    )
    storm = payments.events() * 5
    chance.shuffle(storm)
    payments.stand_in.travel(3 * DAY)
    client = Client()
    for event in storm:
        assert payments.send(client, event).status_code == 200
    assert StripeEvent.objects.count() == len(storm) // 5
    while work.work_off(seconds=60):
        pass
    assert states() == {"done": len(storm) // 5}
    assert [entitlements_of(account).quota for account in (alice, bob)] == [500 * GB] * 2
    assert ledger(alice) == ["plan.change"]
    assert ledger(bob) == ["plan.change"]


def test_an_event_that_comes_before_the_customer_is_back(
    payments: Payments, alice: Account
) -> None:
    payments.pay(alice)
    done = [event for event in payments.events() if event["type"] == "checkout.session.completed"]
    payments.send(Client(), done[0])
    assert work.work_off(seconds=30) == 1
    assert entitlements_of(alice).quota == 200 * GB


def test_an_event_that_never_comes_is_made_up_for(payments: Payments, alice: Account) -> None:
    payments.pay(alice)
    assert reconcile.reconcile_due(seconds=30) == 0
    payments.stand_in.travel(601)
    assert reconcile.reconcile_due(seconds=30) == 1
    assert entitlements_of(alice).quota == 200 * GB
    assert reconcile.reconcile_due(seconds=30) == 0
    payments.portal(alice, act="card", number=FAILS_LATER)
    payments.stand_in.travel(601)
    assert reconcile.reconcile_due(seconds=30) == 1
    payments.stand_in.travel(20 * 3600)
    assert reconcile.reconcile_due(seconds=30) == 0
    payments.stand_in.travel(5 * 3600)  # a day after the last time
    assert reconcile.reconcile_due(seconds=30) == 1
    ends = Subscription.objects.get(account=alice).period_ends_at
    assert ends is not None
    payments.stand_in.travel((ends - clock.now()).total_seconds() - 3600)
    reconcile.reconcile_due(seconds=30)
    payments.stand_in.travel(3 * 3600)  # soon after what is planned
    assert reconcile.reconcile_due(seconds=30) == 1
    assert Subscription.objects.get(account=alice).unpaid_since == ends


def test_a_payment_that_failed_is_told_of_at_once(
    payments: Payments, alice: Account, bob: Account
) -> None:
    payments.subscribe(bob)
    ends = payments.subscribe(alice).period_ends_at
    assert ends is not None
    payments.portal(alice, act="card", number=FAILS_LATER)
    payments.stand_in.travel((ends - clock.now()).total_seconds() + 2 * 3600)
    client = Client()
    for event in payments.events():
        payments.send(client, event)
    while work.work_off(seconds=60):
        pass
    told = Notice.objects.filter(kind="payment-failed").values_list("account", flat=True)
    assert list(told) == [alice.pk]


def test_lost_events_are_fetched_and_worked_off(payments: Payments, alice: Account) -> None:
    payments.pay(alice)
    replayed, new = work.replay_since(clock.now() - timedelta(days=1))
    assert replayed == new == len(payments.events())
    work.work_off(seconds=60)
    assert states() == {"done": new}
    assert entitlements_of(alice).quota == 200 * GB
    assert work.replay_since(clock.now() - timedelta(days=1)) == (replayed, 0)


def test_while_stripe_is_away_events_wait_and_at_last_are_parked(
    payments: Payments, alice: Account
) -> None:
    payments.pay(alice)
    event = next(one for one in payments.events() if one["type"] == "invoice.paid")
    payments.send(Client(), event)
    payments.stand_in.stop()
    tries = 0
    for _ in range(work.MOST_ATTEMPTS + 3):
        tries += work.work_off(seconds=30)
        payments.stand_in.travel(2 * work.LONGEST_PAUSE)
    assert tries == work.MOST_ATTEMPTS
    row = StripeEvent.objects.get()
    assert (row.state, row.error) == ("parked", "UnavailableError")
    payments.stand_in.start()
    assert work.replay(failed=True) == 1
    assert work.work_off(seconds=30) == 1
    assert states() == {"done": 1}
    assert entitlements_of(alice).quota == 200 * GB


@pytest.mark.parametrize(
    ("field", "value"),
    [("current_period_end", 10**12), ("price", None)],  # no year has that many seconds
)
def test_what_makes_no_sense_of_one_customer_holds_up_no_other(
    payments: Payments, alice: Account, bob: Account, field: str, value: object
) -> None:
    first, second = payments.subscribe(alice), payments.subscribe(bob)
    payments.spoil(first.stripe_subscription, **{field: value})
    payments.portal(bob, act="cancel")
    payments.stand_in.travel(2 * DAY)
    assert reconcile.reconcile_due(seconds=30) == 2
    assert reconcile.reconcile_due(seconds=30) == 0
    second.refresh_from_db()
    assert second.cancels_at_period_end
    for event in payments.events():
        payments.send(Client(), event)
    while work.work_off(seconds=60):
        pass
    waiting = StripeEvent.objects.filter(state="received")
    assert set(waiting.values_list("customer", flat=True)) == {first.stripe_customer}


def test_whoever_died_over_an_event_loses_it_to_another(payments: Payments, alice: Account) -> None:
    payments.pay(alice)
    event = next(one for one in payments.events() if one["type"] == "invoice.paid")
    payments.send(Client(), event)
    StripeEvent.objects.update(lease="dead", attempts=1, next_attempt_at=clock.now() + work.LEASE)
    assert work.work_off(seconds=5) == 0
    payments.stand_in.travel(work.LEASE.total_seconds() + 1)
    assert work.work_off(seconds=30) == 1
    assert states() == {"done": 1}


@pytest.mark.parametrize("kind", ["charge.dispute.created", "customer.created", "product.updated"])
def test_events_of_every_kind_are_worked_off(payments: Payments, alice: Account, kind: str) -> None:
    payments.pay(alice, number="4000000000000259")
    if kind == "product.updated":
        payments.stripe.v1.products.update("nightsafe-plus", {"name": "Plus"})
    event = next(one for one in payments.events() if one["type"] == kind)
    payments.send(Client(), event)
    work.work_off(seconds=30)
    assert states() == {"done": 1}
    row = Subscription.objects.get(account=alice)
    assert row.is_disputed == (kind != "product.updated")


def test_events_of_nothing_are_done_and_those_of_strangers_are_not_kept(payments: Payments) -> None:
    for number, customer in enumerate(["cus_stranger", None]):
        about = {"object": "invoice", "customer": customer}
        event = {
            "id": f"evt_{number}",
            "object": "event",
            "type": "invoice.paid",
            "created": 1_770_000_000,
            "data": {"object": about},
        }
        payments.send(Client(), event)
    work.work_off(seconds=30)
    assert list(StripeEvent.objects.values_list("event_id", "state")) == [("evt_1", "done")]


def test_old_events_are_forgotten_and_parked_ones_kept(payments: Payments) -> None:
    for number, state in enumerate(["done", "parked", "received"]):
        StripeEvent.objects.create(
            event_id=f"evt_{number}",
            type="x",
            created_at=clock.now(),
            body=json.dumps({}).encode(),
            state=state,
        )
    payments.stand_in.travel(89 * DAY)
    assert work.forget_old() == 0
    payments.stand_in.travel(2 * DAY)
    assert work.forget_old() == 1
    assert set(states()) == {"parked", "received"}
