"""Further credentials: made with a scope, shown once, revoked for good."""

import pytest

from accounts.models import AuditEvent
from storage.models import Credential
from storage.vaults.credentials import recognise
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.website.conftest import back_up
from tests.unit.website.test_devices import secret_in, whole_database

pytestmark = pytest.mark.django_db


def add_address(enrolled: Enrolled) -> str:
    return f"/vaults/{enrolled.vault.public_id}/credentials/add/"


def revoke_address(enrolled: Enrolled) -> str:
    prefix = enrolled.first.credential.prefix
    return f"/vaults/{enrolled.vault.public_id}/credentials/{prefix}/revoke/"


def test_the_form_explains_each_scope_and_starts_with_the_safe_one(
    alice: Client, laptop: Enrolled
) -> None:
    page = text(alice.get(add_address(laptop)))
    assert page.count('type="radio"') == 3
    assert 'value="backup" id="id_scope_0" required checked' in page
    assert "is kept for 30 days, and the vault&#x27;s page brings it back" in page


@pytest.mark.parametrize("scope", ["restore", "backup", "maintain"])
def test_a_credential_is_shown_once(alice: Client, laptop: Enrolled, scope: str) -> None:
    back_up(laptop)
    response = alice.post(add_address(laptop), {"scope": scope})
    prefix, secret = secret_in(response)
    found = recognise(prefix, secret)
    assert found is not None
    assert (found.scope, found.vault, found.setup_until) == (scope, laptop.vault, None)
    assert "no-store" in response["Cache-Control"]
    assert secret not in whole_database()
    page = text(response)
    assert "nightsafe init" not in page
    assert ("nightsafe backup" in page) is (scope != "restore")


@pytest.mark.parametrize("scope", ["", "owner", "backup "])
def test_unknown_scopes_make_nothing(alice: Client, laptop: Enrolled, scope: str) -> None:
    alice.post(add_address(laptop), {"scope": scope})
    assert Credential.objects.count() == 1


def test_revoking_asks_first(alice: Client, laptop: Enrolled) -> None:
    assert "Revoke this credential?" in text(alice.get(revoke_address(laptop)))
    assert Credential.objects.get().revoked_at is None


def test_revoking_shuts_out_at_once_and_is_on_record(alice: Client, laptop: Enrolled) -> None:
    response = alice.post(revoke_address(laptop), follow=True)
    assert "is revoked" in text(response)
    assert recognise(laptop.first.credential.prefix, laptop.first.secret) is None
    event = AuditEvent.objects.get(verb="credential.revoke")
    assert event.actor_label == "alice@example.org"


def test_revoking_twice_is_not_found(alice: Client, laptop: Enrolled) -> None:
    alice.post(revoke_address(laptop))
    assert alice.post(revoke_address(laptop)).status_code == 404


def test_bob_can_neither_make_nor_revoke(bob: Client, laptop: Enrolled) -> None:
    assert bob.post(add_address(laptop), {"scope": "maintain"}).status_code == 404
    assert bob.post(revoke_address(laptop)).status_code == 404
    assert Credential.objects.get().revoked_at is None


def test_a_label_is_given_shown_and_changed(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    alice.post(add_address(laptop), {"scope": "restore", "label": "Anna’s <b>phone</b>"})
    page = text(alice.get(f"/vaults/{laptop.vault.public_id}/"))
    assert "Anna’s &lt;b&gt;phone&lt;/b&gt;" in page
    mine = laptop.first.credential
    address = f"/vaults/{laptop.vault.public_id}/credentials/{mine.prefix}/rename/"
    for _ in range(2):
        alice.post(address, {"label": "Attic"})
    alice.post(address, {"label": "x" * 101})
    mine.refresh_from_db()
    assert mine.label == "Attic"
    assert AuditEvent.objects.filter(verb="credential.rename").count() == 1
    assert recognise(mine.prefix, laptop.first.secret) is not None
    assert "Attic" in text(alice.get(f"/vaults/{laptop.vault.public_id}/"))
