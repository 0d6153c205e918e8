"""Operators close accounts, open them again, and have them erased early, with a reason."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.closing import work
from accounts.models import Account, AuditEvent, Closing
from backup_service import clock
from tests.unit.storage.conftest import person

pytestmark = pytest.mark.django_db
ALICE = "alice@example.org"


def run(act: str, *arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("account", act, "--account", ALICE, *arguments, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


@pytest.fixture(autouse=True)
def account() -> Account:
    return person(ALICE)


def test_close_and_reopen() -> None:
    found = run("close", "--reason", "asked for by letter")
    assert (found["state"], found["step"], found["why"]) == ("closed", "subscription", "operator")
    assert AuditEvent.objects.latest("pk").detail["note"] == "asked for by letter"
    assert run("closing")["erase_after"] == found["erase_after"]
    assert run("reopen")["state"] == "active"
    assert run("closing")["step"] == ""


def test_erasing_early_wants_to_be_meant() -> None:
    with pytest.raises(CommandError, match="Close the account first"):
        run("erase", "--reason", "r", "--yes")
    run("close", "--reason", "r")
    with pytest.raises(CommandError, match="--reason"):
        run("erase", "--yes")
    with pytest.raises(CommandError, match="--yes"):
        run("erase", "--reason", "called back at the known number")
    assert not Closing.objects.get().is_hastened
    run("erase", "--reason", "called back at the known number", "--yes")
    row = Closing.objects.get()
    assert row.is_hastened
    assert row.erase_after <= clock.now()
    event = AuditEvent.objects.latest("pk")
    assert (event.verb, event.actor_kind) == ("account.erase-now", "operator")
    assert event.detail["note"] == "called back at the known number"
    with pytest.raises(CommandError, match="too late"):
        run("reopen")


@pytest.mark.parametrize("act", ["close", "reopen", "closing", "erase"])
def test_an_account_must_be_named(act: str) -> None:
    with pytest.raises(CommandError, match="--account"):
        call_command("account", act)


def test_a_step_that_was_given_up_is_tried_again() -> None:
    run("close", "--reason", "r")
    Closing.objects.update(step="bytes", parked_at=clock.now(), attempts=work.MOST_ATTEMPTS)
    assert run("closing")["given_up"]
    assert not run("erase", "--reason", "r", "--yes")["given_up"]
    assert not Closing.objects.get().is_hastened
