"""Every address of the API, whatever there is: nobody gets in without a token that opens it."""

import json
import re

import pytest
from django.urls import get_resolver

from accounts.access import Seat
from accounts.audit import SERVICE
from accounts.customer_api import limits
from accounts.members import invitations
from accounts.models import (
    Account,
    ApiToken,
    Delivery,
    Device,
    Endpoint,
    Invitation,
    Membership,
)
from accounts.notifications import endpoints
from accounts.topics import Topic
from backup_service import clock
from backup_service.pages.api import document
from storage.models import Credential, Region, Undelete, Vault
from storage.vaults.enrolment import Enrolled
from tests.support.customers.api import Program, program
from tests.unit.website.conftest import enrol, owner, person
from tests.unit.website.test_routes import routes

pytestmark = pytest.mark.django_db
PREFIX = "api/v1/"
# For programs that have no token yet, and for whoever wants to read what there is.
OPEN = {"openapi.json", "device/code", "device/token"}
CHANGES = ["POST", "PUT", "PATCH", "DELETE"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def api_routes() -> list[str]:
    found = routes(get_resolver("backup_service.urls").url_patterns)
    found.remove(PREFIX)  # of what there is not: see unit/accounts/customer_api/test_unknown.py
    return sorted(r.removeprefix(PREFIX) for r in found if r.startswith(PREFIX))


CLOSED = [route for route in api_routes() if route not in OPEN]


# What somebody with little or no say about an account may still do: it is their own.
OWN = {"notifications/", "devices/"}
# What a member's program is refused, as it would be for something that there is not.
HIDDEN = {403, 404, 405}


@pytest.fixture
def laptop(regions: list[Region]) -> Enrolled:
    """A computer of an account that has one of everything that a route names."""
    made = enrol(owner("alice-api@example.org"), "laptop")
    account = made.vault.account
    Membership.objects.create(account=account, user=person("mia@example.org"), role="member")
    Membership.objects.create(account=account, user=person("axel@example.org"), role="auditor")
    invitations.invite(seat_of(account), email="new@example.org", role="member", actor=SERVICE)
    chosen = endpoints.Settings("pager", "https://example.org/hook", [Topic.BACKUPS])
    endpoints.add(account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=SERVICE)
    program(account)
    Undelete.objects.create(vault=made.vault, actor_label="x", removed_before=clock.now())
    return made


def seat_of(account: Account) -> Seat:
    return Seat(account.memberships.get(role="owner"))


def filled(laptop: Enrolled) -> dict[str, str]:
    """Return each closed route as an address of something of that account."""
    account = laptop.vault.account
    values = {
        "<str:vault_id>": laptop.vault.public_id,
        "<str:device_id>": Device.objects.get().public_id,
        "<str:username>": laptop.first.credential.prefix,
        "<int:member_id>": account.memberships.get(role="member").pk,
        "<int:invitation_id>": Invitation.objects.get().pk,
        "<str:token_prefix>": ApiToken.objects.filter(account=account).earliest("pk").prefix,
        "<str:endpoint_id>": Endpoint.objects.get().public_id,
        "<int:number>": Undelete.objects.get().pk,
    }
    found = {}
    for route in CLOSED:
        path = route
        for placeholder, value in values.items():
            path = path.replace(placeholder, str(value))
        assert "<" not in path, "say here what stands for it"
        found[route] = path
    return found


def picture(laptop: Enrolled) -> list[object]:
    """Return what an account has that requests of this file could change."""
    account = Account.objects.get(pk=laptop.vault.account_id)
    rows = [
        account.memberships.values_list("pk", "role"),
        Invitation.objects.values_list("pk", "revoked_at"),
        Endpoint.objects.values_list("pk", "name", "key_version", "removed_at"),
        Vault.objects.values_list("pk", "name", "expected_interval", "deletion_asked_at"),
        Credential.objects.values_list("pk", "label", "revoked_at", "ends_at", "keys_until"),
        Device.objects.values_list("pk", "name", "member", "retired_at"),
        Undelete.objects.values_list("pk", "ended_at"),
        ApiToken.objects.filter(account=account, label="test").values_list("pk", "revoked_at"),
        Delivery.objects.values_list("pk", "state"),
    ]
    told = [account.name, account.continent, account.state]
    return [*told, *(list(row.order_by("pk")) for row in rows)]


# Bodies that would be taken: what is refused is refused for who asks.
SAID = {
    "name": "x",
    "scope": "maintain",
    "email": "x@example.org",
    "role": "auditor",
    "label": "x",
    "member": None,
    "kind": "webhook",
    "url": "https://example.org/x",
    "topics": ["backups"],
    "confirm": "laptop",
    "to": "2026-01-01T00:00:00Z",
    "plan": "plus",
    "interval": "month",
    "hours": 0,
}


def test_there_are_routes() -> None:
    assert set(api_routes()) > OPEN
    assert len(CLOSED) >= 35


def test_every_closed_route_asks_for_a_token_in_the_document() -> None:
    """What the document describes is what there is, but for what agents ask at the gateway."""
    described = {
        path.removeprefix("/api/v1/"): methods
        for path, methods in document()["paths"].items()
        if "servers" not in methods  # elsewhere
    }
    named = {re.sub(r"<\w+:(\w+)>", r"{\1}", route) for route in api_routes()}
    assert set(described) == named - {"openapi.json"}
    for path in set(described) - OPEN:
        for method, said in described[path].items():
            assert said["security"] == [{"token": []}], (method, path)


@pytest.mark.parametrize("token", ["", "wrong", "revoked", "secret-of-a-vault"])
def test_nobody_without_a_token(
    laptop: Enrolled, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ANONYMOUS_REQUESTS", 10**9)
    who, before = Program(), picture(laptop)
    if token == "wrong":
        who.token = "nst_aaaaaaaa_" + "A" * 43
    elif token == "revoked":
        who = program(laptop.vault.account)
        ApiToken.objects.update(revoked_at=laptop.vault.created_at)
        before = picture(laptop)
    elif token:
        who.token = laptop.first.secret
    for route, path in filled(laptop).items():
        for method in METHODS:
            told = who.ask(method, path, SAID)
            assert told.status_code == 401, (method, route)
            assert told["WWW-Authenticate"].startswith("Bearer")
    assert picture(laptop) == before


def test_another_tenant(laptop: Enrolled) -> None:
    bob, before = program(owner("bob-api@example.org"), ApiToken.Scope.FULL), picture(laptop)
    for route, path in filled(laptop).items():
        if "<" not in route:
            continue
        for method in METHODS:
            told = bob.ask(method, path, SAID)
            assert told.status_code in (404, 405) or method == "OPTIONS", (method, route)
            assert laptop.vault.name not in told.content.decode()
    assert picture(laptop) == before


@pytest.mark.parametrize("scope", ["read", "billing"])
def test_a_token_that_only_reads_changes_nothing(laptop: Enrolled, scope: str) -> None:
    reader = program(laptop.vault.account, scope)
    before = picture(laptop)
    for route, path in filled(laptop).items():
        pays = scope == "billing" and route in ("billing/checkout/", "billing/portal/")
        for method in CHANGES:
            told = reader.ask(method, path, SAID)
            refused = (403, 405, 409) if pays else (403, 405)  # payments are not set up here
            assert told.status_code in refused, (method, route)
    assert picture(laptop) == before


@pytest.mark.parametrize("scope", ["write", "full"])
@pytest.mark.parametrize("role", ["member", "auditor"])
def test_a_token_of_somebody_with_little_say(laptop: Enrolled, role: str, scope: str) -> None:
    asks = program(laptop.vault.account, scope, role)
    before = picture(laptop)
    for route, path in filled(laptop).items():
        for method in CHANGES:
            if route not in OWN:
                told = asks.ask(method, path, SAID)
                assert told.status_code in HIDDEN, (method, route)
    assert picture(laptop) == before


def test_errors_are_problem_documents(laptop: Enrolled) -> None:
    asks = program(laptop.vault.account)
    for route, path in filled(laptop).items():
        told = asks.ask("PUT", path, {})
        assert told.status_code == 405, route
        assert told["Content-Type"] == "application/problem+json"
        assert json.loads(told.content)["code"] == "method-not-allowed"


def test_a_closed_account_still_answers(laptop: Enrolled) -> None:
    who = program(laptop.vault.account)
    Account.objects.update(state=Account.State.CLOSED)
    assert who.get("account/").json()["state"] == "closed"
