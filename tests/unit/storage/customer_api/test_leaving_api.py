"""A program that leaves: closing the account, opening it again, and the export."""

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache

from accounts.models import Account, ApiToken, AuditEvent, Closing, Membership, Notice
from backup_service import clock
from billing.models import Subscription
from storage.models import Region
from storage.object_names import ObjectType
from storage.vaults.enrolment import Enrolled
from tests.support.customers.api import Program, program
from tests.unit.website.conftest import deposit, enrol, owner, person

pytestmark = pytest.mark.django_db
Scope = ApiToken.Scope
CLOSING, EXPORT = "account/closing/", "account/export.zip"
OPEN = {
    "is_closed": False,
    "reason": None,
    "closed_at": None,
    "erase_after": None,
    "may_reopen": False,
}


@pytest.fixture
def account(regions: list[Region]) -> Account:
    return owner("alice-api@example.org")


@pytest.fixture
def laptop(account: Account) -> Enrolled:
    return enrol(account, "laptop")


@pytest.fixture
def sure(account: Account) -> Program:
    """A program with a token of full scope that the owner has made."""
    return program(account, Scope.FULL)


def meant(account: Account) -> dict[str, str]:
    return {"confirm": account.name}


def seated(account: Account, role: str) -> Program:
    """Return a program with a full token of somebody in another role."""
    Membership.objects.create(account=account, user=person(f"{role}@example.org"), role=role)
    return program(account, Scope.FULL, role)


@pytest.mark.parametrize("accepted", ["application/zip", "application/problem+json", "text/html"])
def test_the_export_whatever_is_accepted(sure: Program, accepted: str) -> None:
    """Programs made from the document ask for what it says of the answer."""
    cache.clear()  # one a minute
    told = sure.get(EXPORT, accept=accepted)
    assert told["Content-Type"] == "application/zip"


class TestClosing:
    """The account is frozen, can be opened again for 30 days, and people are told."""

    def test_from_closing_to_open_again(self, sure: Program, account: Account) -> None:
        assert sure.get(CLOSING).json() == OPEN
        told = sure.post(CLOSING, meant(account), idempotency_key="k")
        assert (told.status_code, told.json()["reason"]) == (202, "owner")
        assert told.json()["may_reopen"] is True
        row = Closing.objects.get()
        assert row.erase_after - row.closed_at == timedelta(days=30)
        assert AuditEvent.objects.filter(verb="account.close", actor_kind="token").count() == 1
        assert Notice.objects.filter(kind="account-closed").count() == 1
        again = sure.post(CLOSING, meant(account), idempotency_key="k")
        assert again["Idempotency-Replayed"] == "true"
        twice = sure.post(CLOSING, meant(account))
        assert (twice.status_code, twice.json()["code"]) == (409, "closed")
        assert sure.get(CLOSING).json() == told.json()
        assert sure.get("account/").json()["state"] == "closed"
        assert sure.ask("DELETE", CLOSING).status_code == 204
        assert sure.get(CLOSING).json() == OPEN
        assert sure.get("account/").json()["state"] == "active"
        nothing = sure.ask("DELETE", CLOSING)
        assert (nothing.status_code, nothing.json()["code"]) == (409, "too-late")

    def test_a_vault_keeps_the_state_that_programs_know(
        self, sure: Program, account: Account, laptop: Enrolled
    ) -> None:
        deposit(laptop, ObjectType.CONFIG)
        path = f"vaults/{laptop.vault.public_id}/"
        before = sure.get(path).json()
        sure.post(CLOSING, meant(account))
        after = sure.get(path).json()
        assert (before["state"], after["state"]) == ("never", "never")
        assert "This account is closed" in after["reason"]

    @pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.BILLING])
    def test_no_other_scope_will_do(self, account: Account, sure: Program, scope: str) -> None:
        other = program(account, scope)
        for method in ("POST", "DELETE"):
            told = other.ask(method, CLOSING, meant(account))
            assert (told.status_code, told.json()["code"]) == (403, "permission-denied")
        assert not Account.objects.get().is_closed
        assert sure.post(CLOSING, meant(account)).status_code == 202
        assert other.ask("DELETE", CLOSING).status_code == 403
        assert other.get(CLOSING).json()["is_closed"] is True  # an owner's token sees it
        assert Account.objects.get().is_closed

    @pytest.mark.parametrize("role", ["admin", "member", "auditor"])
    def test_nobody_but_an_owner(self, account: Account, role: str) -> None:
        other = seated(account, role)
        for method, path in [
            ("GET", CLOSING),
            ("POST", CLOSING),
            ("DELETE", CLOSING),
            ("GET", EXPORT),
        ]:
            assert other.ask(method, path, meant(account)).status_code == 403
        assert not Account.objects.get().is_closed

    @pytest.mark.parametrize("said", [{}, {"confirm": ""}, {"confirm": "other"}, {"confirm": []}])
    def test_another_name_is_another_account(
        self, sure: Program, said: Mapping[str, object]
    ) -> None:
        told = sure.post(CLOSING, said)
        assert (told.status_code, told.json()["errors"][0]["field"]) == (400, "confirm")
        assert not Closing.objects.exists()

    def test_it_can_be_too_late(self, sure: Program, account: Account) -> None:
        sure.post(CLOSING, meant(account))
        Closing.objects.update(erase_after=clock.now())
        assert sure.get(CLOSING).json()["may_reopen"] is False
        told = sure.ask("DELETE", CLOSING)
        assert (told.status_code, told.json()["code"]) == (409, "too-late")

    def test_a_debt_is_settled_first(self, sure: Program, account: Account) -> None:
        sure.post(CLOSING, meant(account))
        Closing.objects.update(reason=Closing.Reason.UNPAID)
        Subscription.objects.filter(account=account).update(unpaid_since=clock.now())
        told = sure.ask("DELETE", CLOSING)
        assert (told.status_code, told.json()["code"]) == (409, "unpaid")
        assert Account.objects.get().is_closed


class TestExport:
    """All that is kept of the account, and nothing of what its owner is elsewhere."""

    def test_what_is_in_it(self, sure: Program, laptop: Enrolled) -> None:
        alice = laptop.vault.account.memberships.get().user
        other = owner("bob-api@example.org")
        Membership.objects.create(account=other, user=alice, role="member")
        told = sure.get(EXPORT)
        assert (told.status_code, told["Content-Type"]) == (200, "application/zip")
        archive = zipfile.ZipFile(io.BytesIO(b"".join(told.streaming_content)))
        names = archive.namelist()
        assert "account/members.json" in names
        assert not [name for name in names if name.startswith("you/")]
        vaults: list[dict[str, Any]] = json.loads(archive.read("backups/vaults.json"))
        assert [one["public_id"] for one in vaults] == [laptop.vault.public_id]
        everything = b"".join(archive.read(name) for name in names).decode()
        assert other.public_id not in everything
        assert laptop.first.secret not in everything
        assert sure.token.rpartition("_")[2] not in everything
        event = AuditEvent.objects.latest("pk")
        assert (event.verb, event.actor_kind) == ("account.export", "token")

    def test_once_a_minute(self, sure: Program, account: Account) -> None:
        assert sure.get(EXPORT).status_code == 200
        told = sure.get(EXPORT)
        assert (told.status_code, told.json()["code"]) == (409, "too-soon")
        assert AuditEvent.objects.filter(verb="account.export").count() == 1

    def test_a_head_makes_none(self, sure: Program, account: Account) -> None:
        assert sure.ask("HEAD", EXPORT).status_code == 405
        assert sure.get(EXPORT).status_code == 200

    def test_of_a_closed_account(self, sure: Program, account: Account) -> None:
        sure.post(CLOSING, meant(account))
        assert sure.get(EXPORT).status_code == 200

    @pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.BILLING])
    def test_no_other_scope_will_do(self, account: Account, scope: str) -> None:
        told = program(account, scope).get(EXPORT)
        assert (told.status_code, told.json()["code"]) == (403, "permission-denied")
        assert not AuditEvent.objects.filter(verb="account.export").exists()
