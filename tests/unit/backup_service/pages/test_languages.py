"""Pages and mails speak their reader's language; programs and staff are spoken to in English."""

from functools import cache
from typing import Any

import pytest
from django.core import mail
from django.utils import translation

from accounts import audit
from accounts.actions import freeze_account
from accounts.audit import SERVICE
from accounts.models import Account, User
from accounts.notifications.registry import kind_of
from accounts.reader import worded_for
from accounts.templatetags.words import in_words
from backup_service import clock
from backup_service.agent_packages.catalogue import Package
from billing.entitlements import CLOSED
from billing.stripe.invoices import STATES
from storage.events import rows
from storage.events.runs import FAILURES
from storage.models import Vault, VaultEvent
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.backup_service.pages.test_public import PAGES
from tests.unit.website.conftest import PASSWORD, back_up
from tools.messages import messages

pytestmark = pytest.mark.django_db
Kind = VaultEvent.Kind

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
    assert no_english(page) == []


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
        assert no_english(page) == [], path


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (Kind.RUN, {"bytes": 1200, "seconds": 61.0, "unread": 2}, "2 Pfade"),
        (Kind.FAILED, {"text": FAILURES["locked"]}, "Sperre des Tresors"),
        (Kind.REFUSAL, {"text": "The service is busy; send it again."}, "ausgelastet"),
        (Kind.REFUSAL, {"text": CLOSED}, "Nichts wird gespeichert"),
        (Kind.REMOVAL, {"count": 3, "snapshots": 1, "bytes": 5}, "1 Snapshot und 2 andere"),
        (Kind.WIPE, {"count": 1, "snapshots": 1, "bytes": 5}, "entfernt"),
        (
            Kind.UNDELETE,
            {"text": "44 objects came back, 1 of them snapshots: 1 chosen snapshot."},
            "44 Objekte sind wieder da, darunter 1 Snapshot",
        ),
    ],
)
def test_what_happened_in_a_vault_is_told_in_german(
    alice: Client, laptop: Enrolled, kind: Kind, fields: dict[str, Any], said: str
) -> None:
    rows.add(laptop.vault.pk, kind, clock.now(), status=403, **fields)
    page = text(alice.get(f"/vaults/{laptop.vault.public_id}/events/", **GERMAN))
    assert said in page
    assert no_english(page) == []


def test_a_refused_backup_and_a_deletion_are_told_in_german(
    alice: Client, laptop: Enrolled
) -> None:
    back_up(laptop)
    Vault.objects.update(refused_at=clock.now(), refused_status=403, refused_text=CLOSED)
    for path in ("/dashboard/", f"/vaults/{laptop.vault.public_id}/"):
        page = text(alice.get(path, **GERMAN))
        assert "Nichts wird gespeichert" in page
        assert "This account" not in page
    Vault.objects.update(deletion_asked_at=clock.now())
    for path in ("/dashboard/", f"/vaults/{laptop.vault.public_id}/"):
        page = text(alice.get(path, **GERMAN))
        assert "Er wird gelöscht, wie es verlangt wurde" in page
        assert no_english(page) == []


def test_why_nothing_is_stored_is_told_in_german(alice: Client, account: Account) -> None:
    freeze_account(account, actor=SERVICE)
    assert no_english(text(alice.get("/dashboard/", **GERMAN))) == []


def test_what_was_brought_back_is_told_in_german(alice: Client, account: Account) -> None:
    for verb in ("vault.undelete", "vault.undeleted"):
        figures: dict[str, Any] = {"objects": 44, "snapshots": 1, "what": "1 chosen snapshot"}
        audit.record(SERVICE, verb, "x", account=account, **figures)
    page = text(alice.get("/activity/", **GERMAN))
    assert page.count("1 gewählter Snapshot") == 2
    assert "chosen" not in page


def test_states_of_invoices_are_told_in_german() -> None:
    with translation.override("de"):
        assert [in_words(state) for state in STATES if in_words(state) == state] == []


def no_english(page: str) -> list[str]:
    """Return the English sentences that are left on a page."""
    return [one for one in telling() if one in page]


@cache
def telling() -> list[str]:
    """Return all that is to be translated and long enough; reading all sources takes a second."""
    return [one for ids in messages() for one in ids if len(one) > TELLING]


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
