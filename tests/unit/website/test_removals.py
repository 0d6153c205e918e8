"""The pages about what was removed: said loudly, and accepted by whoever proves who they are."""

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from backup_service import clock
from storage.models import Vault
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.website.conftest import PASSWORD, back_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def wiped(laptop: Enrolled) -> Vault:
    back_up(laptop)
    Vault.objects.update(wiped_at=clock.now())
    return laptop.vault


def address(vault: Vault) -> str:
    return reverse("accept_removal", args=[vault.public_id])


def test_the_page_says_so_and_what_to_do(alice: Client, wiped: Vault) -> None:
    page = text(alice.get(reverse("vault", args=[wiped.public_id])))
    assert "Nearly everything was removed" in page
    assert "at risk" in page
    assert "at risk" in text(alice.get("/dashboard/"))


def test_it_is_accepted_after_the_password(alice: Client, wiped: Vault) -> None:
    asked = alice.post(address(wiped))
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    wiped.refresh_from_db()
    assert wiped.wiped_at is not None
    done = alice.post(asked["Location"], {"password": PASSWORD})
    assert done.status_code == 302
    wiped.refresh_from_db()
    assert wiped.wiped_at is None
    alice.post(address(wiped))  # again, by a reload
    assert AuditEvent.objects.filter(verb="vault.accept-removal").count() == 1
    assert "Nothing to say" in text(alice.get(address(wiped)))


def test_a_refusal_is_on_the_page(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    Vault.objects.update(
        refused_at=clock.now(), refused_status=507, refused_text="Over quota: <b>5</b> GB."
    )
    page = text(alice.get("/dashboard/"))
    assert "refused" in page
    assert "Over quota: &lt;b&gt;5&lt;/b&gt; GB." in page


def test_what_happened_is_listed(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    page = text(alice.get(reverse("vault", args=[laptop.vault.public_id])))
    assert "A backup was completed: 3.0 KB added" in page
