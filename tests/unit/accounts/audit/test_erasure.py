"""People go from the audit log, and the chain still holds."""

import pytest

from accounts import audit
from accounts.actions import open_account
from accounts.audit import SERVICE, Actor, erasure, sealing
from accounts.audit.verification import verify
from accounts.models import Account, AuditEvent, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice@example.org")


@pytest.fixture
def account(alice: User) -> Account:
    account = open_account(alice)
    who = Actor.person(alice, address="2001:db8::7")
    audit.record(who, "device.add", "d1", account=account, name="Alice's laptop")
    audit.record(SERVICE, "mail.choose", "x", account=account, member="Alice@example.org")
    return account


def everything(account: Account | None) -> str:
    rows = AuditEvent.objects.filter(account=account)
    return " ".join(str(list(row.values())) for row in rows.values())


def test_an_account_s_log_keeps_what_was_done_and_nothing_else(account: Account) -> None:
    assert erasure.erase_account(account)
    found = verify(account.pk)
    assert (found.reason, found.links, found.erased) == ("", 3, 3)
    left = everything(account)
    assert "device.add" in left
    assert not [word for word in ("lice", "2001", "laptop") if word in left]


def test_it_goes_on_where_it_was_broken_off(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "AT_ONCE", 2)
    assert not erasure.erase_account(account)
    assert erasure.erase_account(account)
    assert erasure.erase_account(account)
    assert verify(account.pk).erased == 3


def test_nobody_else_s_log_is_touched(account: Account) -> None:
    other = open_account(User.objects.create_user("bob@example.org"))
    sealing.seal(other.pk)
    before = everything(other)
    erasure.erase_account(account)
    assert everything(other) == before


def test_a_person_goes_from_accounts_that_go_on(account: Account, alice: User) -> None:
    bob = User.objects.create_user("bob@example.org")
    audit.record(Actor.person(bob), "member.join", "bob@example.org", account=account)
    audit.record(Actor.person(alice), "member.role", "bob@example.org", account=account)
    audit.record(Actor.person(bob), "device.add", "d2", account=account, name="Bob's")
    audit.record(Actor.person(bob), "sign-in.password", "bob@example.org")
    erasure.erase_person(bob, {"bob@example.org"})
    assert verify(account.pk).reason == verify(None).reason == ""
    left = everything(account)
    assert "bob@" not in left + everything(None)
    assert "Bob's" in left  # it is the account's computer
    assert "Alice's laptop" in left
    assert AuditEvent.objects.filter(actor=bob).count() == 0
    assert AuditEvent.objects.filter(actor=alice).count() == 3


def test_who_erases_by_hand_only_a_part_is_found_out(account: Account) -> None:
    sealing.seal(account.pk)
    AuditEvent.objects.filter(number=2).update(who_salt="", actor_label="")
    assert "who did it" in verify(account.pk).reason


def test_a_name_put_where_one_was_erased_is_found_out(account: Account) -> None:
    erasure.erase_account(account)
    AuditEvent.objects.filter(number=2).update(actor_label="mallory@example.org")
    assert verify(account.pk).broken_at == 2
