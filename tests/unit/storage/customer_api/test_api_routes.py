"""Every address of the API, whatever there is: nobody gets in without a token that opens it."""

import json

import pytest
from django.urls import get_resolver

from accounts.models import Account, ApiToken, Device
from storage.models import Credential, Region, Vault
from storage.vaults.enrolment import Enrolled
from tests.support.customers.api import Program, program
from tests.unit.website.conftest import enrol, owner
from tests.unit.website.test_routes import routes

pytestmark = pytest.mark.django_db
PREFIX = "api/v1/"
# For programs that have no token yet, and for whoever wants to read what there is.
OPEN = {"openapi.json", "device/code", "device/token"}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def api_routes() -> list[str]:
    found = routes(get_resolver("backup_service.urls").url_patterns)
    return sorted(r.removeprefix(PREFIX) for r in found if r.startswith(PREFIX))


CLOSED = [route for route in api_routes() if route not in OPEN]


@pytest.fixture
def laptop(regions: list[Region]) -> Enrolled:
    return enrol(owner("alice-api@example.org"), "laptop")


def fill(route: str, laptop: Enrolled) -> str:
    values = {
        "<str:vault_id>": laptop.vault.public_id,
        "<str:device_id>": Device.objects.get().public_id,
        "<str:username>": laptop.first.credential.prefix,
    }
    for placeholder, value in values.items():
        route = route.replace(placeholder, value)
    assert "<" not in route, "say here what stands for it"
    return route


def nothing_changed(laptop: Enrolled) -> bool:
    return (
        Vault.objects.get().name == "laptop"
        and Credential.objects.filter(revoked_at=None).count() == 1
        and Device.objects.get().retired_at is None
    )


def test_there_are_routes() -> None:
    assert set(api_routes()) > OPEN
    assert len(CLOSED) >= 8


@pytest.mark.parametrize("route", CLOSED)
@pytest.mark.parametrize("token", ["", "wrong", "revoked", "secret-of-a-vault"])
def test_nobody_without_a_token(laptop: Enrolled, route: str, token: str) -> None:
    who = Program()
    if token == "wrong":
        who.token = "nst_aaaaaaaa_" + "A" * 43
    elif token == "revoked":
        who = program(laptop.vault.account)
        ApiToken.objects.update(revoked_at=laptop.vault.created_at)
    elif token:
        who.token = laptop.first.secret
    for method in METHODS:
        told = who.ask(method, fill(route, laptop), {})
        assert told.status_code == 401, method
        assert told["WWW-Authenticate"].startswith("Bearer")
    assert nothing_changed(laptop)


@pytest.mark.parametrize("route", [route for route in CLOSED if "<" in route])
def test_another_tenant(laptop: Enrolled, route: str) -> None:
    bob = program(owner("bob-api@example.org"))
    for method in METHODS:
        said = {"name": "x", "scope": "maintain"}
        told = bob.ask(method, fill(route, laptop), said)
        assert told.status_code in (404, 405) or method == "OPTIONS", method
        assert laptop.vault.name not in told.content.decode()
    assert nothing_changed(laptop)


@pytest.mark.parametrize("route", CLOSED)
@pytest.mark.parametrize("scope", ["read", "billing"])
def test_a_token_that_only_reads_changes_nothing(laptop: Enrolled, route: str, scope: str) -> None:
    reader = program(laptop.vault.account, scope)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        told = reader.ask(method, fill(route, laptop), {"name": "x", "scope": "maintain"})
        assert told.status_code in (403, 405), method
    assert nothing_changed(laptop)


@pytest.mark.parametrize("route", CLOSED)
def test_errors_are_problem_documents(laptop: Enrolled, route: str) -> None:
    told = program(laptop.vault.account).ask("PUT", fill(route, laptop), {})
    assert told.status_code == 405
    assert told["Content-Type"] == "application/problem+json"
    assert json.loads(told.content)["code"] == "method-not-allowed"


def test_a_closed_account_still_answers(laptop: Enrolled) -> None:
    who = program(laptop.vault.account)
    Account.objects.update(state=Account.State.CLOSED)
    assert who.get("account/").json()["state"] == "closed"
