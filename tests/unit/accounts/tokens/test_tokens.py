"""API tokens: recognised, bounded by scope and role, and kept as a hash."""

import hashlib
import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.access import Seat
from accounts.actions import open_account
from accounts.audit import Actor
from accounts.models import Account, ApiToken, AuditEvent, Membership, Notice, User
from accounts.notifications.registry import kind_of
from accounts.roles import Right
from accounts.tokens import tokens
from accounts.tokens.tokens import NewToken, authenticate_token
from backup_service import clock
from tests.unit.website.conftest import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga(db: None) -> Seat:
    return Seat(open_account(person("olga@example.org")).memberships.get())


def make(seat: Seat, scope: str = "read", **more: Any) -> NewToken:
    actor = Actor.person(seat.user)
    return tokens.create(seat.membership, scope=scope, label="mine", actor=actor, **more)


def opens(made: NewToken) -> bool:
    return authenticate_token(f"Bearer {made.text}") is not None


def test_its_form_and_what_is_kept(olga: Seat) -> None:
    made = make(olga)
    kind, prefix, secret = made.text.split("_", 2)
    assert (kind, len(prefix), len(secret)) == ("nst", 8, 43)
    assert made.token.prefix == f"nst_{prefix}"
    assert made.token.digest == hashlib.sha256(made.text.encode()).hexdigest()
    for row in (*ApiToken.objects.values(), *AuditEvent.objects.values()):
        assert secret not in str(row)
    assert made.text not in repr(made)


def test_what_it_opens(olga: Seat) -> None:
    made = make(olga, "write")
    for header in (f"Bearer {made.text}", f"bearer  {made.text} "):
        access = authenticate_token(header)
        assert access is not None
        assert (access.account, access.membership) == (olga.account, olga.membership)
        assert access.may(Right.CHANGE_BACKUPS)
        assert not access.may(Right.CHANGE_BILLING)
    made.token.refresh_from_db()
    assert made.token.last_used_at is not None


@pytest.mark.parametrize(
    "bend",
    [
        lambda text: None,
        lambda text: "",
        lambda text: text,
        lambda text: f"Basic {text}",
        lambda text: f"Bearer {text}x",
        lambda text: f"Bearer {text[:-1]}",
        lambda text: f"Bearer {text[:-1]}{'A' if text[-1] != 'A' else 'B'}",
        lambda text: f"Bearer {text[:13]}{'A' * 43}",
        lambda text: f"Bearer {text}\x00",
        lambda text: f"Bearer \ud800{text}",
        lambda text: "Bearer " + "9" * 100_000,
        lambda text: f"Bearer {text}\n",
    ],
)
def test_what_opens_nothing(olga: Seat, bend: Any) -> None:
    assert authenticate_token(bend(make(olga).text)) is None


def test_it_ends(olga: Seat) -> None:
    made = make(olga, expires_at=clock.now() + timedelta(days=1))
    assert opens(made)
    with clock.travelled(timedelta(days=1, seconds=1)):
        assert not opens(made)
    assert tokens.revoke(made.token, actor=Actor.person(olga.user))
    assert not tokens.revoke(made.token, actor=Actor.person(olga.user))
    assert not opens(made)


def test_the_member_bounds_it_as_they_are_now(olga: Seat) -> None:
    made = make(olga, "write")
    Membership.objects.filter(pk=olga.membership.pk).update(role="auditor")
    access = authenticate_token(f"Bearer {made.text}")
    assert access is not None
    assert not access.may(Right.CHANGE_BACKUPS)
    User.objects.update(is_active=False)
    assert not opens(made)


def test_uses_are_noted_about_once_a_minute(olga: Seat, django_assert_num_queries: Any) -> None:
    made = make(olga)
    opens(made)
    first = ApiToken.objects.get().last_used_at
    opens(made)
    assert ApiToken.objects.get().last_used_at == first
    with clock.travelled(timedelta(minutes=2)), django_assert_num_queries(2):
        opens(made)
    assert ApiToken.objects.get().last_used_at != first


def test_there_are_at_most_so_many(olga: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_TOKENS", 2)
    first, _ = make(olga), make(olga)
    with pytest.raises(tokens.TooManyTokensError):
        make(olga)
    tokens.revoke(first.token, actor=Actor.person(olga.user))
    make(olga)


@pytest.mark.parametrize("became", ["member", "nobody"])
def test_who_lost_the_right_meanwhile_makes_none(olga: Seat, became: str) -> None:
    if became == "nobody":
        Membership.objects.filter(pk=olga.membership.pk).delete()
    else:
        Membership.objects.filter(pk=olga.membership.pk).update(role=became)
    with pytest.raises(tokens.NoSeatError):
        make(olga)


def test_none_is_made_once_the_erasure_has_begun(olga: Seat) -> None:
    Account.objects.update(state=Account.State.ERASED)
    with pytest.raises(tokens.NoSeatError):
        make(olga)
    with pytest.raises(CommandError, match="erased"):
        call_command("token", "create", "--account", olga.account.public_id)


@pytest.mark.parametrize("days", [None, 31, 365])
def test_one_of_full_scope_ends_soon(olga: Seat, days: int | None) -> None:
    expires_at = clock.now() + timedelta(days=days) if days else None
    with pytest.raises(tokens.TooLongError, match="30 days"):
        make(olga, "full", expires_at=expires_at)
    made = make(olga, "full", expires_at=clock.now() + timedelta(days=30))
    access = authenticate_token(f"Bearer {made.text}")
    assert access is not None
    assert access.is_full
    assert access.may(Right.CLOSE_ACCOUNT)
    with clock.travelled(timedelta(days=30, minutes=1)):
        assert not opens(made)


def test_of_one_of_full_scope_people_are_told(olga: Seat) -> None:
    make(olga, "write")
    assert not Notice.objects.exists()
    made = make(olga, "full", expires_at=clock.now() + timedelta(days=1))
    notice = Notice.objects.get(account=olga.account)
    letter = kind_of(notice.kind).write(notice.values)
    assert letter.is_urgent
    said = letter.text(footer="")
    assert made.token.prefix in said
    assert made.text not in said


def test_of_full_scope_are_the_rights_that_its_maker_has_now(olga: Seat) -> None:
    made = make(olga, "full", expires_at=clock.now() + timedelta(days=1))
    Membership.objects.update(role=Membership.Role.AUDITOR)
    access = authenticate_token(f"Bearer {made.text}")
    assert access is not None
    assert not access.may(Right.CHANGE_BACKUPS)
    assert not access.may(Right.CLOSE_ACCOUNT)


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command("token", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command(olga: Seat) -> None:
    made = run("create", "--account", "olga@example.org", "--scope", "billing", "--days", "3")
    access = authenticate_token(f"Bearer {made['token']}")
    assert access is not None
    assert access.rights == {Right.SEE_BILLING, Right.CHANGE_BILLING}
    [listed] = run("list", "--account", olga.account.public_id)["tokens"]
    assert (listed["prefix"], listed["scope"]) == (made["prefix"], "billing")
    assert made["token"] not in str(listed)
    assert run("revoke", "--account", "olga@example.org", "--token", made["prefix"])["revoked"]
    assert authenticate_token(f"Bearer {made['token']}") is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--account", "nobody@example.org"),
        ("create", "--account", "olga@example.org", "--days", "0"),
        ("create", "--account", "olga@example.org", "--scope", "full"),
        ("create", "--account", "olga@example.org", "--scope", "full", "--days", "31"),
        ("create", "--account", "olga@example.org", "--label", ""),
        ("create", "--account", "olga@example.org", "--label", "x" * 101),
        ("revoke", "--account", "olga@example.org"),
        ("revoke", "--account", "olga@example.org", "--token", "nst_nothing"),
    ],
)
def test_the_command_refuses_in_words(olga: Seat, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_those_that_ran_out_hide_none_in_use(olga: Seat) -> None:
    used = make(olga)
    for _ in range(3):
        make(olga, expires_at=clock.now() + timedelta(days=1))
    revoked = make(olga)
    tokens.revoke(revoked.token, actor=Actor.person(olga.user))
    with clock.travelled(timedelta(days=2)):
        listed = [one.prefix for one in tokens.tokens_of(olga.account)]
    assert (listed[0], listed[-1]) == (used.token.prefix, revoked.token.prefix)


def test_those_in_use_come_first_on_every_database(olga: Seat) -> None:
    over = [make(olga).token for _ in range(2)]
    in_use = make(olga).token
    for one in over:
        tokens.revoke(one, actor=Actor.person(olga.user))
    assert list(tokens.tokens_of(olga.account)) == [in_use, over[1], over[0]]
