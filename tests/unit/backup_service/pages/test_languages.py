"""Pages and mails speak their reader's language; programs and staff are spoken to in English."""

from typing import Any

import pytest
from django.core import mail

from accounts.models import Account, User
from accounts.notifications.registry import kind_of
from accounts.reader import worded_for
from backup_service.agent_packages.catalogue import Package
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.backup_service.pages.test_public import PAGES
from tests.unit.website.conftest import PASSWORD, back_up
from tools.messages import messages

pytestmark = pytest.mark.django_db

GERMAN: dict[str, Any] = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}
CUSTOMERS = (
    *("/dashboard/", "/activity/", "/billing/", "/billing/plans/", "/connect/", "/devices/add/"),
    *("/settings/", "/settings/members/", "/settings/tokens/", "/settings/notifications/"),
    *("/settings/export/", "/settings/close/", "/settings/delete/", "/account/continent/"),
    *("/accounts/email/", "/accounts/2fa/", "/accounts/sessions/", "/accounts/password/change/"),
    "/settings/notifications/endpoints/add/",
)
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


def test_no_english_is_left_on_a_customers_page(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    vault = f"/vaults/{laptop.vault.public_id}/"
    own = [vault, *(f"{vault}{name}/" for name in ("snapshots", "events", "rename", "interval"))]
    for path in (*CUSTOMERS, *own):
        page = text(alice.get(path, **GERMAN))
        assert '<html lang="de">' in page, path
        left = [one for ids in messages() for one in ids if len(one) > TELLING and one in page]
        assert left == [], path


def test_programs_and_staff_are_spoken_to_in_english(client: Client) -> None:
    answer = client.get("/api/v1/account/", **GERMAN)
    assert "Content-Language" not in answer
    assert answer.json()["title"] == client.get("/api/v1/account/").json()["title"]


def test_a_persons_own_choice_is_for_pages_and_mails(alice: Client, account: Account) -> None:
    user = account.memberships.get().user
    alice.cookies["django_language"] = "en-gb"
    saved = alice.post("/settings/", {"name": "", "time_zone": "Europe/Berlin", "language": "de"})
    assert saved.cookies["django_language"].value == ""  # what the browser chose before
    assert "Einstellungen" in text(alice.get("/settings/"))
    user.refresh_from_db()
    with worded_for(user):
        letter = kind_of("backup-late").write(
            {
                "name": "laptop",
                "count": 1,
                "vault": "x",
                "last": "2026-05-01T23:30:00+00:00",
                "expected": "2 May 2026",
            }
        )
    assert letter.subject == "„laptop“ wurde seit 2. Mai 2026 nicht gesichert"
    assert "2 May 2026" in letter.lines[0]  # of a notice that is older than that


def test_whoever_signs_up_is_written_to_in_their_language(client: Client) -> None:
    client.post("/accounts/signup/", {"email": "eva@example.org", "password1": PASSWORD}, **GERMAN)
    assert User.objects.get(email="eva@example.org").language == "de"
    assert mail.outbox[0].subject.endswith(" Ihre E-Mail-Adresse")
    assert "Willkommen bei Nightsafe." in mail.outbox[0].body


def test_a_language_that_nobody_speaks_is_refused(alice: Client) -> None:
    assert "tlh" in text(alice.post("/settings/", {"language": "tlh"}))
