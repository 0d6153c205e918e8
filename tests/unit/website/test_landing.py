"""The first page."""

import pytest
from django.urls import reverse
from pytest_django import Settings

from billing.models import Plan
from storage.models import Region
from tests.support.pages import Client, read, text

pytestmark = pytest.mark.django_db


def test_it_says_what_cannot_be_undone(client: Client) -> None:
    page = text(client.get("/"))
    assert "If you lose the passphrase, the backups are lost." in page
    assert "We cannot read" in page
    assert "military" not in page


def test_plans_come_from_their_rows(client: Client) -> None:
    Plan.objects.filter(slug="plus").update(month_cents=1234, on_offer=True)
    Plan.objects.filter(slug="personal").update(on_offer=False)
    page = text(client.get("/"))
    assert "$12.34" in page
    assert "<h3>Personal</h3>" not in page


def test_it_promises_what_there_is(
    client: Client, regions: list[Region], settings: Settings
) -> None:
    settings.EMBEDDED = False
    page = " ".join(text(client.get("/")).split())
    assert "Data rooms" not in page
    assert "3 copies, in separate places, once there are so many (now 2)" in page
    assert "2 copies, in separate places </li>" in page
    assert "on trial" not in page
    settings.EMBEDDED = True
    assert "on trial" in text(client.get("/"))


def test_visitors_find_both_doors(client: Client) -> None:
    links = read(client.get("/")).links
    assert reverse("account_signup") in links
    assert reverse("account_login") in links


def test_signed_in_people_go_to_their_dashboard(alice: Client) -> None:
    assert alice.get("/")["Location"] == reverse("dashboard")


def test_an_unknown_address_has_a_page(client: Client) -> None:
    response = client.get("/no/such/page")
    assert response.status_code == 404
    assert "There is nothing here" in text(response)
