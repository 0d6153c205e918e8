"""Choosing the continent on which backups live: with the first device, and later."""

import pytest
from pytest_django import Settings

from accounts.models import Account, AuditEvent, Device, Membership
from storage.models import Region
from tests.support.pages import Client, send_once, text

pytestmark = pytest.mark.django_db

PAGE = "/account/continent/"


@pytest.fixture(autouse=True)
def _two_continents(settings: Settings, regions: list[Region]) -> None:
    settings.REGION_OPTIONS = {"A_CONTINENT": "europe", "B_CONTINENT": "north-america"}


def chosen() -> str:
    return Account.objects.get().continent


def test_the_first_device_asks_and_proposes_the_services_own_order(alice: Client) -> None:
    page = text(alice.get("/devices/add/"))
    assert '<option value="europe" selected>Europe</option>' in page
    assert '<option value="north-america">North America</option>' in page
    send_once(alice, "/devices/add/", {"name": "laptop", "continent": "north-america"})
    assert chosen() == "north-america"
    assert "continent" not in text(alice.get("/devices/add/"))
    send_once(alice, "/devices/add/", {"name": "phone", "continent": "europe"})
    assert Device.objects.count() == 2
    assert chosen() == "north-america"


@pytest.mark.parametrize("embedded", [True, False])
def test_of_folders_of_one_disk_is_said_that_they_fail_together(
    alice: Client, settings: Settings, embedded: bool
) -> None:
    settings.EMBEDDED = embedded
    assert ("fail together with it" in text(alice.get(PAGE))) == embedded


def test_with_one_continent_there_is_nothing_to_ask(alice: Client, settings: Settings) -> None:
    settings.REGION_OPTIONS = {"A_CONTINENT": "europe", "B_CONTINENT": "europe"}
    assert "continent" not in text(alice.get("/devices/add/"))
    send_once(alice, "/devices/add/", {"name": "laptop"})
    assert Device.objects.count() == 1
    assert chosen() == ""


def test_a_device_that_cannot_be_added_chooses_nothing(alice: Client) -> None:
    send_once(alice, "/devices/add/", {"name": "x" * 101, "continent": "europe"})
    assert not Device.objects.exists()
    assert chosen() == ""


def test_it_is_changed_in_the_settings(alice: Client) -> None:
    assert PAGE in text(alice.get("/accounts/email/"))
    assert "what is stored stays where it is" in text(alice.get(PAGE))
    assert alice.post(PAGE, {"continent": "north-america"}).status_code == 302
    assert chosen() == "north-america"
    assert AuditEvent.objects.get(verb="account.continent").actor_label == "alice@example.org"
    assert "chose where new backups live: north-america" in text(alice.get("/activity/"))
    alice.post(PAGE, {"continent": ""})
    assert chosen() == ""


def test_a_choice_outlives_its_regions(alice: Client, settings: Settings) -> None:
    alice.post(PAGE, {"continent": "europe"})
    settings.REGION_OPTIONS = {}
    assert '<option value="europe" selected>Europe</option>' in text(alice.get(PAGE))


@pytest.mark.parametrize("wanted", ["asia", "atlantis", "Europe"])
def test_what_is_not_on_offer_is_refused(alice: Client, wanted: str) -> None:
    assert "not one of the available choices" in text(alice.post(PAGE, {"continent": wanted}))
    assert chosen() == ""


def test_an_auditor_changes_nothing(alice: Client) -> None:
    Membership.objects.update(role="auditor")
    assert alice.post(PAGE, {"continent": "europe"}).status_code == 403
    assert chosen() == ""
