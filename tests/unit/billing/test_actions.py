"""Plans, grants, and what an account may do by them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.actions import open_account
from accounts.audit import SERVICE
from accounts.models import Account, User
from backup_service import clock
from billing.actions import entitlements_of, standing_of, subscribe
from billing.models import Interval, Plan, Subscription

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture
def account() -> Account:
    account = open_account(User.objects.create_user("alice@example.org"))
    subscribe(account, plan="personal", actor=SERVICE)
    return account


def test_a_plan_is_known_to_the_payment_service_by_a_key_for_each_interval() -> None:
    plan = Plan.objects.get(slug="plus")
    assert [plan.lookup_key(i) for i in Interval] == ["nightsafe-plus-month", "nightsafe-plus-year"]
    assert [plan.cents(i) for i in Interval] == [1000, 10000]


def test_a_change_of_plan_is_dated_and_the_same_plan_again_is_none(account: Account) -> None:
    first = Subscription.objects.get(account=account).plan_since
    with clock.travelled(timedelta(days=1)):
        assert subscribe(account, plan="personal", actor=SERVICE).plan_since == first
        assert subscribe(account, plan="plus", actor=SERVICE).plan_since > first


def test_a_plan_that_is_no_longer_on_offer_keeps_those_who_are_on_it(account: Account) -> None:
    Plan.objects.filter(slug="personal").update(on_offer=False)
    found = entitlements_of(account)
    assert (found.quota, found.may_store) == (200 * GB, True)


def test_one_customer_with_stripe_is_one_account(account: Account) -> None:
    bob = open_account(User.objects.create_user("bob@example.org"))
    subscribe(bob, plan="free", actor=SERVICE)  # two without a customer are no two of one
    Subscription.objects.filter(account=account).update(stripe_customer="cus_1")
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.filter(account=bob).update(stripe_customer="cus_1")


def test_what_is_held_is_asked_only_where_it_is_wanted(account: Account) -> None:
    now = clock.now()
    assert standing_of(account, None, now).held is None
    held = standing_of(account, None, now, with_held=True).held
    assert held is not None
    assert held.charged(0) == 0
