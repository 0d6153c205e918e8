"""Whoever changes the audit log behind the service's back is found out."""

import contextlib
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts import audit
from accounts.actions import open_account
from accounts.audit import SERVICE
from accounts.audit.verification import verify
from accounts.models import Account, AuditChain, AuditEvent, User

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def account(transactional_db: None) -> Account:
    account = open_account(User.objects.create_user("alice@example.org"))
    for number in range(5):
        audit.record(SERVICE, "test.act", f"thing {number}", account=account, weight=number)
    return account


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    with contextlib.suppress(CommandError):
        call_command("audit", "verify", *arguments, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_a_whole_chain(account: Account) -> None:
    found = run("--account", "alice@example.org")
    assert found["holds"]
    assert found["chains"][0]["links"] == 6
    assert found["chains"][0]["head"] == AuditEvent.objects.order_by("number").last().digest  # type: ignore[union-attr]
    assert run()["holds"]


@pytest.mark.parametrize(
    "change",
    [
        {"actor_label": "somebody else"},
        {"actor_kind": "staff"},
        {"address": "192.0.2.1"},
        {"credential": "abc"},
        {"verb": "test.other"},
        {"subject": "thing"},
        {"detail": {"weight": 3.5}},
        {"digest": "0" * 64},
        {"number": 40},
    ],
)
def test_a_changed_row_is_named(account: Account, change: dict[str, Any]) -> None:
    assert AuditEvent.objects.filter(number=4).update(**change) == 1
    found = run("--account", account.public_id)
    assert not found["holds"]
    assert found["first_broken"]["broken_at"] == 4
    assert found["first_broken"]["links"] == 3


def test_a_removed_row_is_named(account: Account) -> None:
    AuditEvent.objects.filter(number=3).delete()
    assert verify(account.pk).reason == "row 3 is missing; the next is row 4"


def test_removed_newest_rows_are_missed(account: Account) -> None:
    AuditEvent.objects.filter(number__gt=4).delete()
    assert verify(account.pk).reason == "rows 5 to 6 are missing"


def test_a_head_that_was_put_back_is_told(account: Account) -> None:
    AuditEvent.objects.filter(number=6).delete()
    AuditChain.objects.filter(name=account.public_id).update(number=5)
    assert "head" in verify(account.pk).reason


def test_a_row_of_another_account_does_not_fit(account: Account) -> None:
    other = open_account(User.objects.create_user("bob@example.org"))
    AuditEvent.objects.filter(account=other).delete()
    AuditEvent.objects.filter(account=account, number=1).update(account=other)
    assert verify(other.pk).broken_at == 1


def test_the_command_ends_with_an_error(account: Account) -> None:
    AuditEvent.objects.filter(number=2).update(verb="test.other")
    with pytest.raises(CommandError, match="row 2: the row was changed"):
        call_command("audit", "verify", stdout=StringIO())


def test_nobody_of_that_name() -> None:
    with pytest.raises(CommandError, match="nobody of that address owns one"):
        call_command("audit", "verify", "--account", "nobody@example.org", stdout=StringIO())
