"""What staff grant an account: room, time, a reason."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.actions import open_account
from accounts.audit import OPERATOR, SERVICE, Actor
from accounts.models import Account, AuditEvent, User
from backup_service import clock
from billing.actions import entitlements_of, subscribe
from billing.grants import GrantError, grant
from billing.models import Grant, Subscription

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture
def account() -> Account:
    account = open_account(User.objects.create_user("alice@example.org"))
    subscribe(account, plan="personal", actor=SERVICE)
    return account


def test_nothing_is_granted_to_an_account_that_is_erased(account: Account) -> None:
    Account.objects.update(state=Account.State.ERASED)
    with pytest.raises(GrantError, match="erased"):
        grant(account, quota_bytes=GB, days=14, reason="Alice called", actor=SERVICE)
    assert not Grant.objects.exists()


def test_a_grant_gives_room_until_its_end_and_is_on_record(account: Account) -> None:
    sam = User.objects.create_user("sam@example.org", is_staff=True)
    grant(account, quota_bytes=10 * GB, days=14, reason=" moving house ", actor=Actor.person(sam))
    assert entitlements_of(account).quota == 210 * GB
    with clock.travelled(timedelta(days=14)):
        assert entitlements_of(account).quota == 200 * GB
    event = AuditEvent.objects.get(verb="account.grant")
    assert (event.actor, event.detail["reason"], event.detail["days"]) == (sam, "moving house", 14)
    row = Grant.objects.get()
    assert (row.granted_by, row.granted_label) == (sam, "sam@example.org")


def test_granted_days_let_somebody_store_again_who_has_not_paid(account: Account) -> None:
    owing = clock.now() - timedelta(days=20)
    Subscription.objects.filter(account=account).update(unpaid_since=owing)
    assert not entitlements_of(account).may_store
    grant(account, grace_days=14, days=60, reason="a promise", actor=OPERATOR)
    assert entitlements_of(account).may_store
    with clock.travelled(timedelta(days=9)):
        assert not entitlements_of(account).may_store


def test_grants_of_another_account_are_not_counted(account: Account) -> None:
    bob = open_account(User.objects.create_user("bob@example.org"))
    grant(bob, quota_bytes=GB, days=1, reason="x", actor=OPERATOR)
    assert entitlements_of(account).quota == 200 * GB
    assert entitlements_of(bob).quota == 6 * GB  # without a subscription, on the free plan


@pytest.mark.parametrize(
    "wish",
    [
        {"days": 0, "quota_bytes": GB},
        {"days": 367, "quota_bytes": GB},
        {"days": 1},
        {"days": 1, "quota_bytes": -1},
        {"days": 1, "quota_bytes": 10**15 + 1},
        {"days": 1, "grace_days": 367},
        {"days": 1, "quota_bytes": GB, "reason": " "},
        {"days": 1, "quota_bytes": GB, "reason": "x" * 201},
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(account: Account, wish: dict[str, Any]) -> None:
    with pytest.raises(GrantError):
        grant(account, **{"reason": "x", "actor": OPERATOR, **wish})
    assert not Grant.objects.exists()
