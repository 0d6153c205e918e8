"""Where the API has nothing, and where the service fails: problems, and no pages."""

from typing import Any

import django.test
import pytest
from pytest_django import Settings

from accounts.access import Seat
from accounts.audit import SERVICE
from accounts.customer_api import limits
from accounts.models import AuditEvent
from accounts.tokens import tokens
from backup_service.pages.api import PROBLEMS
from tests.support.customers.api import Program

pytestmark = pytest.mark.django_db
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]


@pytest.fixture
def olgas(olga: Seat, settings: Settings) -> Program:
    settings.ROOT_URLCONF = "backup_service.urls"
    made = tokens.create(olga.membership, scope="write", label="test", actor=SERVICE)
    return Program(made.text)


def problem(told: Any, status: int, code: str) -> str:
    """Return what a problem says in words."""
    assert (told.status_code, told["Content-Type"]) == (status, "application/problem+json")
    said = told.json()
    assert (said["status"], said["code"]) == (status, code)
    assert code in PROBLEMS
    return str(said["detail"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["nothing", "nothing/", "", "a/b/c/", "vaults/x/y/", "a%0Ab/"])
def test_no_such_address(olgas: Program, method: str, path: str) -> None:
    for asking in (olgas, Program()):
        told = asking.ask(method, path)
        assert told["RateLimit"]
        assert "Allow" not in told
        if method == "HEAD":
            assert (told.status_code, told.content) == (404, b"")
        else:
            problem(told, 404, "not-found")


def test_whatever_is_accepted(olgas: Program) -> None:
    problem(olgas.get("nothing/", accept="text/html"), 404, "not-found")


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("path", "meant"),
    [("vaults", "vaults/"), ("account", "account/"), ("device/code/", "device/code")],
)
def test_a_slash_too_few_or_too_many_is_named_and_not_led_on(
    olgas: Program, method: str, path: str, meant: str
) -> None:
    before = AuditEvent.objects.count()
    told = problem(olgas.ask(method, path, {"name": "x"}), 404, "not-found")
    assert told.endswith(f"Did you mean /api/v1/{meant}?")
    assert AuditEvent.objects.count() == before


def test_guessing_addresses_is_counted(olgas: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 10**10)
    monkeypatch.setattr(limits, "ANONYMOUS_REQUESTS", 2)
    statuses = [Program().get(f"nothing-{n}/").status_code for n in range(3)]
    assert statuses == [404, 404, 429]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "openapi.json"), ("DELETE", "openapi.json"), ("GET", "device/code")],
)
def test_a_method_that_an_open_address_does_not_take(
    olgas: Program, method: str, path: str
) -> None:
    told = Program().ask(method, path)
    assert method in problem(told, 405, "method-not-allowed")
    assert told["Allow"]


def test_a_program_is_never_asked_for_the_token_of_a_form(olgas: Program) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("openapi.json", "nothing/", "device/token", "account/"):
            told = olgas.ask(method, path, {})
            assert "text/html" not in told["Content-Type"], (method, path)


def test_an_address_that_no_text_may_have(olgas: Program) -> None:
    problem(olgas.get("vaults/%00/"), 400, "bad-request")
    problem(olgas.get("vaults/?cursor=%00"), 400, "bad-request")
    page = django.test.Client(raise_request_exception=False).get("/docs/?x=%00")
    assert (page.status_code, page["Content-Type"].split(";")[0]) == (400, "text/html")


def test_the_service_itself_fails(olgas: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("x")

    from storage.customer_api import account

    monkeypatch.setattr(account, "state_of", breaks)
    assert "RuntimeError" not in problem(olgas.get("account/"), 500, "failed")
