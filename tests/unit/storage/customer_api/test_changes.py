"""What a program changes of the account, computers, vaults and credentials."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from accounts.models import Account, ApiToken, AuditEvent, Device, Membership
from storage.models import Credential, Region, StoredObject, Vault
from storage.vaults.enrolment import Enrolled
from tests.support.customers.api import Program, program
from tests.support.storage.counts import recounted
from tests.unit.website.conftest import back_up, enrol, owner, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def laptop(regions: list[Region]) -> Enrolled:
    return enrol(owner("alice-api@example.org"), "laptop")


@pytest.fixture
def alice(laptop: Enrolled) -> Program:
    return program(laptop.vault.account)


def path(laptop: Enrolled, what: str = "") -> str:
    return f"vaults/{laptop.vault.public_id}/{what}"


def last_act() -> tuple[str, str]:
    event = AuditEvent.objects.latest("pk")
    return event.verb, event.actor_kind


def test_how_often_backups_are_to_come(alice: Program, laptop: Enrolled) -> None:
    back_up(laptop)
    before = alice.get(path(laptop)).json()
    assert before["expected_hours"] is None
    told = alice.ask("PATCH", path(laptop), {"expected_hours": 6}).json()
    assert told["expected_hours"] == 6
    assert told["late_from"] < before["late_from"]
    assert Vault.objects.get().interval == timedelta(hours=6)
    assert last_act() == ("vault.expect", "token")
    again = alice.ask("PATCH", path(laptop), {"expected_hours": None}).json()
    assert again["expected_hours"] is None


@pytest.mark.parametrize("hours", [0, -1, 8785, 2**70, "x", 1.5, True])
def test_hours_out_of_bounds(alice: Program, laptop: Enrolled, hours: object) -> None:
    told = alice.ask("PATCH", path(laptop), {"name": "other", "expected_hours": hours})
    assert (told.status_code, told.json()["errors"][0]["field"]) == (400, "expected_hours")
    assert Vault.objects.get().name == "laptop"


def test_a_name_that_is_taken_changes_nothing_else(alice: Program, laptop: Enrolled) -> None:
    enrol(laptop.vault.account, "other")
    told = alice.ask("PATCH", path(laptop), {"name": "other", "expected_hours": 6})
    assert (told.status_code, told.json()["code"]) == (409, "name-taken")
    assert Vault.objects.get(pk=laptop.vault.pk).expected_interval == 0


def test_deleting_a_vault_that_was_never_set_up(alice: Program, laptop: Enrolled) -> None:
    assert alice.ask("DELETE", path(laptop)).status_code == 204
    assert alice.get(path(laptop)).status_code == 404
    assert last_act() == ("vault.delete", "token")


def test_a_vault_in_use_is_not_deleted(alice: Program, laptop: Enrolled) -> None:
    back_up(laptop)
    told = alice.ask("DELETE", path(laptop))
    assert (told.status_code, told.json()["code"]) == (409, "in-use")
    assert Vault.objects.get().closed_at is None


def test_giving_lost_objects_up(alice: Program, laptop: Enrolled) -> None:
    back_up(laptop)
    StoredObject.objects.filter(type="data").update(state=StoredObject.State.LOST)
    recounted()
    assert alice.get(path(laptop)).json()["lost"] == 1
    assert alice.post(path(laptop, "lost/give-up/")).json() == {"given_up": 1, "left": 0}
    assert alice.get(path(laptop)).json()["lost"] == 0


def test_labels_of_credentials(alice: Program, laptop: Enrolled) -> None:
    made = alice.post(path(laptop, "credentials/"), {"scope": "restore", "label": "server"})
    assert made.json()["label"] == "server"
    one = path(laptop, f"credentials/{made.json()['username']}/")
    assert alice.ask("PATCH", one, {"label": "cellar"}).json()["label"] == "cellar"
    assert last_act() == ("credential.rename", "token")
    assert alice.ask("PATCH", one, {"label": "x" * 101}).status_code == 400
    assert Credential.objects.get(prefix=made.json()["username"]).label == "cellar"


def test_whose_a_computer_is(alice: Program, laptop: Enrolled) -> None:
    account = Account.objects.get()
    mia = Membership.objects.create(
        account=account, user=person("mia@example.org"), role=Membership.Role.MEMBER
    )
    other = owner("bob-api@example.org").memberships.get()
    one = f"devices/{Device.objects.get().public_id}/"
    sure = program(account, ApiToken.Scope.FULL)
    assert sure.ask("PATCH", one, {"member": mia.pk}).json()["member"] == mia.pk
    assert last_act() == ("device.move", "token")
    for wrong in (other.pk, 2**63 - 1, 2**63, 0, "x"):
        told = sure.ask("PATCH", one, {"member": wrong})
        assert (told.status_code, told.json()["errors"][0]["field"]) == (400, "member")
    mias = program(account, role="member")
    assert mias.get(one).json()["name"] == "laptop"
    assert mias.ask("PATCH", one, {"member": None}).status_code == 403
    assert alice.ask("PATCH", one, {"member": None}).json()["member"] is None
    assert mias.get(one).status_code == 404


def test_the_account_s_name_and_continent(
    alice: Program, laptop: Enrolled, settings: Settings
) -> None:
    settings.REGION_OPTIONS = {"A_CONTINENT": "europe", "B_CONTINENT": "north-america"}
    told = alice.ask("PATCH", "account/", {"name": "Home"})
    assert (told.status_code, told.json()["name"]) == (200, "Home")
    assert last_act() == ("account.rename", "token")
    elsewhere = alice.ask("PATCH", "account/", {"name": "Other", "continent": "oceania"})
    assert (elsewhere.status_code, elsewhere.json()["errors"][0]["field"]) == (400, "continent")
    assert alice.ask("PATCH", "account/", {"continent": "atlantis"}).status_code == 400
    assert Account.objects.get().name == "Home"
    told = alice.ask("PATCH", "account/", {"continent": "europe"})
    assert (told.status_code, told.json()["continent"]) == (200, "europe")
    assert last_act() == ("account.continent", "token")


@pytest.mark.parametrize("depth", [40, 898, 899])  # of 900, Python's own bound was near
def test_what_is_nested_deeply_is_refused_before_anything_words_it(
    alice: Program, depth: int
) -> None:
    topics: object = "backups"
    for _ in range(depth):
        topics = [topics]
    said = {"kind": "webhook", "name": "x", "url": "https://example.org", "topics": topics}
    told = alice.post("endpoints/", said)
    assert (told.status_code, told.json()["code"]) == (400, "parse-error")


def test_names_are_one_line(alice: Program, laptop: Enrolled) -> None:
    told = alice.ask("PATCH", path(laptop), {"name": "a\r\nb\x1b[31m \u2066c"})
    assert told.json()["name"] == "a b [31m c"
    for said in ("\x07", "\u202e\n", "\u200b", "\u00ad\u2060 \ufeff", "\u3164\ufe0f", "\u2800"):
        refused = alice.ask("PATCH", path(laptop), {"name": said})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "blank")
    emoji = "Büro 👩\u200d🚒"  # joined by a mark that nobody sees, and is wanted
    assert alice.ask("PATCH", path(laptop), {"name": emoji}).json()["name"] == emoji
