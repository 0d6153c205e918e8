"""Each answer has a line that says whose it was and why, and holds nothing of what was sent."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from accounts.models import Account
from accounts.notifications.tokens import unsubscribe_token
from accounts.topics import Topic
from backup_service.logs.configuration import JSON, LINES, logging_settings
from backup_service.logs.formats import JsonFormatter, LineFormatter
from backup_service.logs.request_context import current
from backup_service.logs.requests import HEADER, RequestLog
from billing.models import Plan
from storage.models import Region
from storage.vaults.enrolment import create_vault
from tests.support.customers.api import program
from tests.support.pages import Client
from tests.unit.storage.api.test_session import call
from tests.unit.storage.conftest import Caller, some
from tests.unit.storage.conftest import caller as caller_of
from tests.unit.website.conftest import account, alice, client, owner

__all__ = ["account", "alice", "client"]


class Log:
    """What was logged, as JSON."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def answers(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["logger"] == "nightsafe.requests"]


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    handler = logging.StreamHandler(made.stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield made
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def gateway(settings: Settings) -> None:
    settings.ROOT_URLCONF = "backup_service.gateway_urls"
    settings.MIDDLEWARE = settings.GATEWAY_MIDDLEWARE


@pytest.fixture
def backup(account: Account, regions: list[Region], gateway: None) -> Caller:
    from accounts.audit import SERVICE

    return caller_of(create_vault(account, name="laptop", actor=SERVICE).vault, "backup")


@pytest.mark.django_db
class TestRefusals:
    """Of restic and of agents, with their cause; each is a warning."""

    def one(self, log: Log) -> dict[str, Any]:
        (line,) = log.answers()
        assert line["level"] == "WARNING"
        return line

    def test_over_quota(self, log: Log, backup: Caller, account: Account) -> None:
        Plan.objects.update(quota_bytes=1)
        response = backup.put(some())
        line = self.one(log)
        assert (line["status"], line["cause"]) == (507, "over-quota")
        assert (line["account"], line["vault"]) == (account.public_id, backup.vault.public_id)
        assert line["kind"] == "data"
        assert line["credential"] == backup.credential.prefix
        assert line["request"] == response[HEADER]
        assert line["ms"] > 0
        assert "Over quota" in line["text"]

    def test_forbidden(self, log: Log, backup: Caller) -> None:
        backup.delete("data/" + "0" * 64)
        assert (self.one(log)["status"], self.one(log)["cause"]) == (403, "forbidden")

    def test_too_large(self, log: Log, backup: Caller) -> None:
        backup.put(some(5000), "locks")
        assert (self.one(log)["status"], self.one(log)["cause"]) == (403, "too-large")

    def test_a_stranger(self, log: Log, backup: Caller) -> None:
        Caller(backup.credential, "guess", backup.vault).get("config")
        assert (self.one(log)["status"], self.one(log)["cause"]) == (401, "unauthenticated")

    def test_the_control_api(self, log: Log, backup: Caller) -> None:
        call(backup, "report", {"failed": "a secret"})
        assert (self.one(log)["status"], self.one(log)["cause"]) == (400, "bad-request")
        assert "a secret" not in log.stream.getvalue()

    def test_what_is_well_has_no_line_at_the_gateway(self, log: Log, backup: Caller) -> None:
        assert backup.put(some()).status_code == 200
        assert backup.get("config").status_code == 404
        assert log.answers() == []


@pytest.mark.django_db
class TestSite:
    def test_whose_page(self, log: Log, alice: Client, account: Account) -> None:
        response = alice.get("/dashboard/?secret=hidden", headers={"X-Secret": "hidden"})
        (line,) = log.answers()
        assert line["route"] == "dashboard/"
        assert (line["method"], line["status"], line["level"]) == ("GET", 200, "INFO")
        assert (line["account"], line["request"]) == (account.public_id, response[HEADER])
        assert "hidden" not in log.stream.getvalue()

    def test_an_address_that_opens_something_is_not_told(self, log: Log, client: Client) -> None:
        seat = owner("carol@example.org").memberships.get()
        token = unsubscribe_token(seat, Topic.BACKUPS)
        client.get(f"/unsubscribe/{token}/")
        client.get(f"/nowhere/{token}/")
        assert [line["route"] for line in log.answers()] == ["unsubscribe/<str:token>/", "(none)"]
        assert token not in log.stream.getvalue()

    def test_the_api_says_why(self, log: Log, account: Account) -> None:
        who = program(account)
        who.token = who.token[:-1] + "_"
        who.ask("GET", "vaults/", None)
        (line,) = log.answers()
        assert (line["status"], line["cause"]) == (401, "authentication-failed")
        assert who.token not in log.stream.getvalue()

    def test_strange_methods(self, log: Log, client: Client) -> None:
        client.generic("SECRET-WORD", "/pricing/")
        assert log.answers()[0]["method"] == "other"


def test_a_fault_is_told_with_its_request_and_no_path(log: Log) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        try:
            raise ValueError("password=Zk3vQ8xL")
        except ValueError:
            logging.getLogger("django.request").exception(
                "Internal Server Error: %s", request.path, extra={"request": request}
            )
        return HttpResponse(status=500)

    response = RequestLog(view)(RequestFactory().get("/invitations/a-token/"))
    fault, answer = log.lines()
    assert fault["message"] == "Internal Server Error: (none)"
    assert fault["request"] == answer["request"] == response[HEADER]
    assert answer["level"] == "ERROR"
    assert "ValueError" in fault["exception"]
    assert "Zk3vQ8xL" not in log.stream.getvalue()
    assert current.get() == ""


def test_lines_for_people() -> None:
    record = logging.makeLogRecord(
        {
            "name": "x",
            "levelname": "INFO",
            "msg": "answered",
            "facts": {"status": 200, "text": "a b"},
        }
    )
    line = LineFormatter().format(record)
    assert line.endswith('INFO x: answered status=200 text="a b"')


@pytest.mark.parametrize(("form", "kind"), [(JSON, "JsonFormatter"), (LINES, "LineFormatter")])
def test_the_form_is_chosen(form: str, kind: str) -> None:
    assert logging_settings("INFO", form)["formatters"]["line"]["()"].endswith(kind)


def test_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="NIGHTSAFE_LOG_FORMAT"):
        logging_settings("INFO", "xml")
