"""`manage.py billing` and `manage.py account grant`, as an operator or a script calls them."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent, Membership
from backup_service import clock
from billing.actions import subscribe
from billing.models import Grant, StripeEvent, Subscription
from storage.models import Usage
from tests.support.pages import Client
from tests.unit.billing.conftest import GB, Payments, owner

pytestmark = pytest.mark.django_db


def run(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*words, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_the_state_of_an_account_by_mail_and_by_id(alice: Account) -> None:
    Usage.objects.create(account=alice, live_bytes=GB)
    for name in ("Alice@Example.org", alice.public_id):
        found = run("billing", "state", "--account", name)
        told = {key: found[key] for key in ("account", "plan", "quota", "used", "state")}
        assert told == {
            "account": alice.public_id,
            "plan": "free",
            "quota": 5 * GB,
            "used": GB,
            "state": "normal",
        }


@pytest.mark.parametrize(
    ("day", "state"),
    [
        (0, "grace"),
        (15, "read-only"),
        (61, "restore-only"),
        (91, "ended"),
    ],
)
def test_the_state_of_somebody_who_owes(alice: Account, day: int, state: str) -> None:
    subscribe(alice, plan="personal", actor=SERVICE)
    since = clock.now() - timedelta(days=day, minutes=1)
    Subscription.objects.update(unpaid_since=since)
    found = run("billing", "state", "--account", alice.public_id)
    assert (found["state"], found["may_restore"]) == (state, day < 91)
    assert found["read_only_from"] == (since + timedelta(days=15)).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("state", "told"), [("frozen", "frozen"), ("closed", "closed"), ("active", "over-cap")]
)
def test_the_other_states(alice: Account, state: str, told: str) -> None:
    Usage.objects.create(account=alice, live_bytes=6 * GB)
    Account.objects.update(state=state)
    assert run("billing", "state", "--account", alice.public_id)["state"] == told


def test_a_name_that_is_nobodys_or_of_several_is_refused_in_words(alice: Account) -> None:
    with pytest.raises(CommandError, match="owns none"):
        run("billing", "state", "--account", "nobody@example.org")
    other = owner("other@example.org")
    user = alice.memberships.get().user
    Membership.objects.create(account=other, user=user, role="owner")
    with pytest.raises(CommandError, match="several"):
        run("billing", "state", "--account", "alice@example.org")
    with pytest.raises(CommandError, match="no text"):
        run("billing", "state", "--account", "a\udc80")


def test_a_grant_by_the_operator(alice: Account) -> None:
    found = run(
        *("account", "grant", "--account", "alice@example.org"),
        *("--quota", "10GB", "--days", "14", "--reason", "a trial"),
    )
    assert found["quota_bytes"] == 10 * GB
    assert found["total_quota_bytes"] == 15 * GB
    row = Grant.objects.get()
    assert found["until"] == row.ends_at.isoformat(timespec="seconds")
    assert row.granted_label == "operator at the command line"
    assert AuditEvent.objects.filter(verb="account.grant", account=alice).count() == 1
    assert run("billing", "state", "--account", alice.public_id)["granted_bytes"] == 10 * GB


@pytest.mark.parametrize(
    "words",
    [
        ("--quota", "10GB", "--days", "14"),
        ("--quota", "much", "--days", "14", "--reason", "x"),
        ("--quota", "10GB", "--days", "0", "--reason", "x"),
        ("--days", "14", "--reason", "x"),
        ("--quota", "9000PB", "--days", "14", "--reason", "x"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(alice: Account, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("account", "grant", "--account", alice.public_id, *words)
    assert not Grant.objects.exists()


def test_products_are_made_from_the_plans_and_made_once(payments: Payments) -> None:
    first = run("billing", "products")
    assert set(first["prices"]) == {
        f"nightsafe-{plan}-{interval}"
        for plan in ("personal", "plus")
        for interval in ("month", "year")
    }
    assert run("billing", "products") == first
    assert len(payments.stripe.v1.prices.list({"limit": 100}).data) == 4


def test_replaying_and_reconciling(payments: Payments, alice: Account) -> None:
    payments.pay(alice)
    event = payments.events()[-1]
    payments.send(Client(), event)
    StripeEvent.objects.update(state="done")
    assert run("billing", "replay", event["id"]) == {"replayed": 1}
    StripeEvent.objects.update(state="parked")
    assert run("billing", "replay", "--failed") == {"replayed": 1}
    since = (clock.now() - timedelta(hours=1)).isoformat()
    found = run("billing", "replay", "--since", since)
    assert found == {"replayed": len(payments.events()), "never_came": len(payments.events()) - 1}
    assert run("billing", "reconcile") == {"customers": 1}
    assert run("billing", "state", "--account", alice.public_id, "--sync")["plan"] == "personal"


@pytest.mark.parametrize("words", [(), ("--since", "yesterday"), ("--since", "2020-01-01T00:00Z")])
def test_a_replay_of_nothing_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("billing", "replay", *words)


def test_without_stripe_the_command_says_so(alice: Account) -> None:
    with pytest.raises(CommandError, match="takes no payments"):
        run("billing", "products")
