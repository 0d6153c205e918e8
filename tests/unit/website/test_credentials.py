"""Further credentials: made with a scope, shown once, revoked for good."""

from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.models import AuditEvent
from backup_service import clock
from billing.actions import entitlements_of
from storage.errors import ForbiddenError, UnauthenticatedError
from storage.models import Credential, Vault
from storage.object_names import ObjectType
from storage.vaults import credential_changes, credentials
from storage.vaults.access import Access
from storage.vaults.credentials import recognise
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, send_once, text
from tests.unit.website.conftest import PASSWORD, back_up
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
def test_a_credential_is_shown_once(sure: Client, laptop: Enrolled, scope: str) -> None:
    back_up(laptop)
    response = send_once(sure, add_address(laptop), {"scope": scope})
    prefix, secret = secret_in(response)
    found = recognise(prefix, secret)
    assert found is not None
    assert (found.scope, found.vault, found.setup_until) == (scope, laptop.vault, None)
    assert "no-store" in response["Cache-Control"]
    assert secret not in whole_database()
    page = text(response)
    assert "nightsafe init" not in page
    assert ("nightsafe backup" in page) is (scope == "backup")
    assert ("backup ~/" in page) is (scope == "backup")
    assert ("Not for the computer that backs up." in page) is (scope == "maintain")
    assert ("nightsafe forget" in page) is (scope == "maintain")


@pytest.mark.parametrize("scope", ["", "owner", "backup "])
def test_unknown_scopes_make_nothing(sure: Client, laptop: Enrolled, scope: str) -> None:
    send_once(sure, add_address(laptop), {"scope": scope})
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


def test_a_label_is_given_shown_and_changed(sure: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    form = {"scope": "restore", "label": "Anna’s <b>phone</b>"}
    send_once(sure, add_address(laptop), form)
    page = text(sure.get(f"/vaults/{laptop.vault.public_id}/"))
    assert "Anna’s &lt;b&gt;phone&lt;/b&gt;" in page
    mine = laptop.first.credential
    address = f"/vaults/{laptop.vault.public_id}/credentials/{mine.prefix}/rename/"
    for _ in range(2):
        sure.post(address, {"label": "Attic"})
    sure.post(address, {"label": "x" * 101})
    mine.refresh_from_db()
    assert mine.label == "Attic"
    assert AuditEvent.objects.filter(verb="credential.rename").count() == 1
    assert recognise(mine.prefix, laptop.first.secret) is not None
    assert "Attic" in text(sure.get(f"/vaults/{laptop.vault.public_id}/"))


def replace_address(enrolled: Enrolled) -> str:
    return revoke_address(enrolled).replace("/revoke/", "/replace/")


def keys_address(enrolled: Enrolled) -> str:
    return revoke_address(enrolled).replace("/revoke/", "/keys/")


def renewed(enrolled: Enrolled) -> Credential:
    return Credential.objects.select_related("vault__account").get(pk=enrolled.first.credential.pk)


class TestWhoIsThere:
    """What gives somebody a way in is asked for the password first, and then done."""

    def test_adding_and_replacing(self, alice: Client, laptop: Enrolled) -> None:
        for address in (add_address(laptop), replace_address(laptop), keys_address(laptop)):
            response = alice.post(address, {"scope": "maintain", "hours": "0", "once": "x"})
            assert response["Location"].startswith("/accounts/reauthenticate/")
        assert Credential.objects.count() == 1
        assert not renewed(laptop).keys_open

    def test_it_goes_on_after_the_password(self, alice: Client, laptop: Enrolled) -> None:
        asked = send_once(alice, add_address(laptop), {"scope": "restore"})
        shown = alice.post(asked["Location"], {"password": PASSWORD}, follow=True)
        prefix, secret = secret_in(shown)
        assert recognise(prefix, secret) is not None
        again = alice.post(asked["Location"], {"password": PASSWORD}, follow=True)
        assert secret not in text(again)
        assert Credential.objects.count() == 2


class TestReplacing:
    def test_the_old_one_works_until_its_time_is_over(self, sure: Client, laptop: Enrolled) -> None:
        old = laptop.first
        credentials.rename(old.credential, label="Attic", actor=SERVICE)
        response = send_once(sure, replace_address(laptop), {"hours": "24"})
        prefix, secret = secret_in(response)
        made = recognise(prefix, secret)
        assert made is not None
        assert (made.scope, made.label, made.device) == ("backup", "Attic", laptop.vault.device)
        assert made.has_setup_right(clock.now())  # as the one before it
        assert "works until" in text(response)
        pair = old.credential.prefix, old.secret
        assert recognise(*pair) is not None
        assert "ends" in text(sure.get(f"/vaults/{laptop.vault.public_id}/"))
        with clock.travelled(timedelta(hours=25)):
            assert recognise(*pair) is None
            assert recognise(prefix, secret) is not None
            assert credential_changes.end_replaced() == 1
            assert credential_changes.end_replaced() == 0
        assert renewed(laptop).revoked_at is not None
        assert "ends after 24 hours" in text(sure.get("/activity/"))

    def test_at_once(self, sure: Client, laptop: Enrolled) -> None:
        response = send_once(sure, replace_address(laptop), {"hours": "0"})
        assert "which has ended" in text(response)
        assert recognise(laptop.first.credential.prefix, laptop.first.secret) is None
        assert sure.get(replace_address(laptop)).status_code == 404

    @pytest.mark.parametrize("hours", ["", "-1", "2", "1000", "x"])
    def test_other_times_make_nothing(self, sure: Client, laptop: Enrolled, hours: str) -> None:
        send_once(sure, replace_address(laptop), {"hours": hours})
        assert Credential.objects.count() == 1

    def test_twice(self, sure: Client, laptop: Enrolled) -> None:
        send_once(sure, replace_address(laptop), {"hours": "24"})
        page = text(send_once(sure, replace_address(laptop), {"hours": "24"}))
        assert "was revoked or replaced already" in page
        with pytest.raises(ValueError, match="out of bounds"):
            credential_changes.rotate(
                laptop.first.credential, overlap=timedelta(days=31), actor=SERVICE
            )
        assert Credential.objects.count() == 2

    def test_an_upload_that_ends_after_it_is_not_stored(self, laptop: Enrolled) -> None:
        credential = renewed(laptop)
        access = Access(credential, credential.vault, entitlements_of(credential.vault.account))
        credential_changes.rotate(credential, overlap=timedelta(hours=1), actor=SERVICE)
        access.renewed()
        with clock.travelled(timedelta(hours=2)), pytest.raises(UnauthenticatedError):
            access.renewed()


class TestKeys:
    def test_for_half_an_hour_and_for_one_credential(self, sure: Client, laptop: Enrolled) -> None:
        back_up(laptop)
        other = credentials.create(laptop.vault, scope="maintain", actor=SERVICE).credential
        Vault.objects.update(state=Vault.State.ACTIVE)
        with pytest.raises(ForbiddenError, match="On the vault's page"):
            may_write_key(laptop)
        assert "30 minutes" in text(sure.get(keys_address(laptop)))
        sure.post(keys_address(laptop))
        may_write_key(laptop)
        assert "May change keys until" in text(sure.get(f"/vaults/{laptop.vault.public_id}/"))
        with clock.travelled(timedelta(minutes=31)), pytest.raises(ForbiddenError):
            may_write_key(laptop)
        credential_changes.open_key_window(other, actor=SERVICE)
        with pytest.raises(ForbiddenError):
            may_write_key(laptop)

    def test_it_is_ended_early(self, sure: Client, laptop: Enrolled) -> None:
        sure.post(keys_address(laptop))
        assert "End it now" in text(sure.get(keys_address(laptop)))
        sure.post(keys_address(laptop), {"step": "close"})
        assert not renewed(laptop).keys_open
        verbs = AuditEvent.objects.filter(verb__contains="-keys").order_by("pk")
        assert list(verbs.values_list("verb", flat=True)) == [
            "credential.open-keys",
            "credential.close-keys",
        ]

    def test_not_for_one_that_only_restores(self, sure: Client, laptop: Enrolled) -> None:
        Credential.objects.update(scope="restore")
        assert "can only restore" in text(sure.get(keys_address(laptop)))
        page = text(sure.post(keys_address(laptop), follow=True))
        assert "cannot change keys" in page
        assert not renewed(laptop).keys_open


def may_write_key(enrolled: Enrolled) -> None:
    credential = renewed(enrolled)
    access = Access(credential, credential.vault, entitlements_of(credential.vault.account))
    Credential.objects.update(setup_until=None)
    access.require_create(ObjectType.KEY)


def test_a_vault_has_so_many_and_no_more(
    sure: Client, laptop: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "MOST_IN_USE", 1)
    page = text(send_once(sure, add_address(laptop), {"scope": "backup"}))
    assert "at most 1 credentials in use" in page
    assert Credential.objects.count() == 1
