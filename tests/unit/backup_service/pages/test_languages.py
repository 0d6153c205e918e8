"""Public pages speak the visitor's language; pages that are not translated speak English."""

from typing import Any

import pytest

from backup_service.agent_packages.catalogue import Package
from tests.support.pages import Client, text
from tests.unit.backup_service.pages.test_public import PAGES
from tools.messages import messages

pytestmark = pytest.mark.django_db

GERMAN: dict[str, Any] = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}
TELLING = 25  # letters from which on a sentence is no word that German has as well


@pytest.mark.parametrize("path", PAGES)
def test_no_english_is_left_on_a_german_page(
    client: Client, packages: list[Package], path: str
) -> None:
    response = client.get(path, **GERMAN)
    page = text(response)
    assert '<html lang="de">' in page
    assert response["Content-Language"] == "de"
    assert "Accept-Language" in response["Vary"]
    left = [one for ids in messages() for one in ids if len(one) > TELLING and one in page]
    assert left == []


@pytest.mark.parametrize("path", PAGES)
def test_english_is_for_everybody_else(client: Client, path: str) -> None:
    for language in ("", "fr", "en-US"):
        page = text(client.get(path, HTTP_ACCEPT_LANGUAGE=language))
        assert '<html lang="en-gb">' in page
        assert "Ihre Dateien" not in page


def test_a_choice_is_remembered(client: Client) -> None:
    assert '<a href="?language=de" hreflang="de" lang="de">Deutsch</a>' in text(client.get("/"))
    chosen = client.get("/pricing/?language=de")
    assert "<h1>Preise</h1>" in text(chosen)
    assert chosen.cookies["django_language"]["httponly"]
    assert "<h1>Sicherheit</h1>" in text(client.get("/security/"))
    assert "<h1>Security</h1>" in text(client.get("/security/?language=en-gb", **GERMAN))
    assert "<h1>Security</h1>" in text(client.get("/security/", **GERMAN))


def test_a_language_that_is_none_changes_nothing(client: Client) -> None:
    page = client.get("/pricing/?language=<x>")
    assert page.status_code == 200
    assert "django_language" not in page.cookies


def test_pages_that_are_not_translated_are_not_half_german(client: Client, alice: Client) -> None:
    for page in (client.get("/accounts/login/", **GERMAN), alice.get("/dashboard/", **GERMAN)):
        assert '<html lang="en-gb">' in text(page)
        assert "Anmelden" not in text(page)
        assert "Deutsch" not in text(page)
    assert "bisher auf Englisch" in text(client.get("/", **GERMAN))
