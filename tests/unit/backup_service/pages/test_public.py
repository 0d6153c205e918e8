"""The first page."""

from typing import Any

import pytest
from django.test import RequestFactory
from django.urls import reverse
from django.views.defaults import server_error
from pytest_django import Settings

from backup_service.env import BASE_DIR
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


PAGES = (
    *("/", "/how-it-works/", "/pricing/", "/security/", "/download/", "/status/", "/docs/"),
    *("/docs/getting-started/", "/docs/restore/", "/docs/restic/", "/docs/api/"),
    *("/terms/", "/privacy/"),
)


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_compressed_for_visitors_only(client: Client, alice: Client, path: str) -> None:
    """Alice's hold the token of a form, which the length of a compressed page could give away."""
    takes: dict[str, Any] = {"HTTP_ACCEPT_ENCODING": "gzip"}
    assert client.get(path, **takes).get("Content-Encoding") == "gzip"
    own = alice.get(path, **takes)
    assert "Content-Encoding" not in own
    assert own.status_code == (302 if path == "/" else 200)


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_plain_for_a_strict_browser(client: Client, path: str) -> None:
    page = read(client.get(path))
    assert page.refused == []
    assert page.titles == 1


@pytest.mark.parametrize("path", ["/terms/", "/privacy/"])
def test_what_nobody_has_signed_says_so(client: Client, settings: Settings, path: str) -> None:
    page = text(client.get(path))
    assert "This page is a draft that nobody has signed." in page
    assert "NIGHTSAFE_OPERATOR_ADDRESS" in page
    settings.OPERATOR = {
        **settings.OPERATOR,
        "name": "Example <b>Ltd</b>",
        "address": "1 Example Street",
        "law": "Ireland",
        "contact": "help@example.org",
    }
    page = text(client.get(path))
    assert "draft" not in page
    assert "Example &lt;b&gt;Ltd&lt;/b&gt;" in page
    assert "1 Example Street" in page
    assert "[" not in page.partition("<main")[2].partition("</main>")[0]


def test_where_the_source_is_stands_on_every_page(client: Client, settings: Settings) -> None:
    assert "Source code" not in text(client.get("/pricing/"))
    settings.OPERATOR = {**settings.OPERATOR, "source": "https://example.org/nightsafe"}
    assert '<a href="https://example.org/nightsafe">Source code</a>' in text(client.get("/"))


def test_the_page_for_our_own_mistakes_needs_nothing() -> None:
    """It is shown when anything may be broken, the request's context included."""
    answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.content.decode()


LIGHT = 150_000  # bytes of a page with all that belongs to it, before any compression


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_light(client: Client, path: str) -> None:
    ours = (BASE_DIR / "backup_service/static/nightsafe").iterdir()
    parts = sum(part.stat().st_size for part in ours)
    assert len(client.get(path).content) + parts < LIGHT
