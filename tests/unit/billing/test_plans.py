"""Changing a plan: whom it hits, and never below what somebody uses."""

import pytest

from accounts.actions import add_device, open_account
from accounts.audit import SERVICE
from accounts.models import Account, User
from billing.actions import PaidForError, give_plan, subscribe
from billing.models import Plan, Subscription
from billing.plans import TooSmallError, accounts_on, change_plan, effect
from billing.revenue import failing_payments, monthly_revenue
from storage.models import Usage

pytestmark = pytest.mark.django_db
GB = 10**9


def account(name: str, plan: str = "") -> Account:
    made = open_account(User.objects.create_user(f"{name}@example.org"))
    if plan:
        subscribe(made, plan=plan, actor=SERVICE)
    return made


def plan(slug: str) -> Plan:
    return Plan.objects.get(slug=slug)


def test_accounts_without_a_subscription_are_on_the_free_plan() -> None:
    account("alice"), account("bob", "free"), account("carol", "plus")
    Account.objects.filter(name="bob").update(state="frozen")
    gone = account("dave", "free")
    Account.objects.filter(pk=gone.pk).update(state="closed")
    assert sorted(accounts_on(plan("free")).values_list("name", flat=True)) == ["alice", "bob"]
    assert effect(plan("free"), {"quota_bytes": 6 * GB}).accounts == 2


def test_what_was_removed_counts_as_the_write_path_counts_it() -> None:
    alice = account("alice", "personal")
    Usage.objects.create(
        account=alice, live_bytes=40 * GB, reserved_bytes=5 * GB, tombstoned_bytes=90 * GB
    )
    personal = plan("personal")
    for quota, is_enough in ((150 * GB, True), (90 * GB, True), (67 * GB, False), (45 * GB, False)):
        assert (Usage.objects.get().charged(quota) <= quota) is is_enough
        if is_enough:
            assert effect(personal, {"quota_bytes": quota}).changes
        else:
            with pytest.raises(TooSmallError, match="1 of the accounts"):
                effect(personal, {"quota_bytes": quota})
    assert effect(personal, {"quota_bytes": 201 * GB}).changes
    assert Plan.objects.get(slug="personal").quota_bytes == 200 * GB


def test_fewer_devices_than_somebody_has() -> None:
    alice = account("alice", "personal")
    for name in ("one", "two"):
        add_device(alice, name=name, actor=SERVICE)
    with pytest.raises(TooSmallError, match="more devices"):
        change_plan(plan("personal"), {"device_limit": 1}, actor=SERVICE)
    change_plan(plan("personal"), {"device_limit": 2}, actor=SERVICE)
    change_plan(plan("personal"), {"device_limit": None}, actor=SERVICE)
    assert plan("personal").device_limit is None


def test_only_what_may_be_changed_is() -> None:
    change_plan(plan("plus"), {"slug": "stolen", "name": "Plus!"}, actor=SERVICE)
    assert plan("plus").name == "Plus!"


def test_staff_give_plans_to_whoever_does_not_pay() -> None:
    alice = account("alice", "personal")
    give_plan(alice, plan="plus", reason="x", actor=SERVICE)
    assert Subscription.objects.get().plan.slug == "plus"
    Subscription.objects.update(stripe_subscription="sub_1", stripe_status="past_due")
    with pytest.raises(PaidForError, match="through Stripe"):
        give_plan(alice, plan="free", reason="x", actor=SERVICE)
    Subscription.objects.update(stripe_status="canceled")  # and something is owed for it
    with pytest.raises(PaidForError, match="owes"):
        give_plan(alice, plan="free", reason="x", actor=SERVICE)
    Subscription.objects.update(stripe_subscription="", stripe_status="")
    give_plan(alice, plan="free", reason="x", actor=SERVICE)
    with pytest.raises(Plan.DoesNotExist):
        give_plan(alice, plan="nothing", reason="x", actor=SERVICE)


def test_an_account_that_is_erased_is_put_on_no_plan() -> None:
    alice = account("alice", "free")
    Account.objects.update(state=Account.State.ERASED)
    with pytest.raises(ValueError, match="erased"):
        give_plan(alice, plan="plus", reason="x", actor=SERVICE)


def test_revenue_is_what_is_paid_for_and_nothing_else() -> None:
    of = {
        "alice": ("personal", "sub_1", "active", "month"),
        "bob": ("personal", "sub_2", "past_due", "year"),
        "carol": ("plus", "sub_3", "active", "month"),
        "dave": ("plus", "", "", ""),  # given by staff
        "erin": ("plus", "sub_5", "canceled", "month"),
    }
    for name, (slug, subscription, status, interval) in of.items():
        row = subscribe(account(name), plan=slug, actor=SERVICE)
        row.stripe_subscription, row.stripe_status = subscription, status
        row.interval = interval
        row.save()
    found = {one.plan.slug: (one.subscribers, one.cents) for one in monthly_revenue()}
    assert found == {"personal": (2, 500 + 417), "plus": (1, 1000)}
    assert failing_payments() == 0
