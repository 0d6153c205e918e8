"""A vault that nobody has set up: it can still be, and it can be renamed and deleted."""

import re
from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent
from backup_service import clock
from billing.actions import entitlements_of
from storage.device_authorization import grant
from storage.models import Credential, Region, StoredObject, Usage, Vault
from storage.object_names import ObjectType, parse_name
from storage.vaults import credentials, locks
from storage.vaults.access import Access
from storage.vaults.enrolment import Enrolled, enrol_device
from tests.support.pages import Client, send_once, text
from tests.unit.website.conftest import deposit, enrol

pytestmark = pytest.mark.django_db


@pytest.fixture
def fresh(account: Account, regions: list[Region]) -> Enrolled:
    return enrol(account, "mini")


def where(enrolled: Enrolled, what: str = "") -> str:
    return f"/vaults/{enrolled.vault.public_id}/{what}"


@pytest.mark.parametrize("hours", [0, 2])
def test_following_the_page_that_is_shown_once(sure: Client, fresh: Enrolled, hours: int) -> None:
    """Close it too early, revoke the credential, make another: that one can set the vault up."""
    with clock.travelled(timedelta(hours=hours)):
        prefix = fresh.first.credential.prefix
        sure.post(where(fresh, f"credentials/{prefix}/revoke/"))
        page = text(send_once(sure, where(fresh, "credentials/add/"), {"scope": "backup"}))
        assert "nightsafe init" in page
        assert "restic init" in page
        made = Credential.objects.get(revoked_at=None)
        Access(made, fresh.vault, entitlements_of(fresh.vault.account)).require_setup_right()


def test_a_credential_to_restore_says_nothing_of_setting_up(sure: Client, fresh: Enrolled) -> None:
    page = text(send_once(sure, where(fresh, "credentials/add/"), {"scope": "restore"}))
    assert "nightsafe init" not in page


def test_a_vault_that_was_set_up_is_not_set_up_again(sure: Client, fresh: Enrolled) -> None:
    deposit(fresh, ObjectType.CONFIG)
    page = text(send_once(sure, where(fresh, "credentials/add/"), {"scope": "backup"}))
    assert "nightsafe init" not in page
    assert "Not set up yet" not in text(sure.get(where(fresh)))


def test_a_fresh_right_to_set_it_up_with_one_button(sure: Client, fresh: Enrolled) -> None:
    used = credentials.create(fresh.vault, scope="maintain", actor=SERVICE)
    credentials.mark_used(used.credential)
    reader = credentials.create(fresh.vault, scope="restore", actor=SERVICE)
    assert "The secret is lost: get another one" in text(sure.get(where(fresh)))
    with clock.travelled(timedelta(days=3)):
        page = text(send_once(sure, where(fresh, "set-up/")))
        assert "nightsafe init" in page
        in_use = Credential.objects.filter(revoked_at=None).order_by("pk")
        assert list(in_use)[:-1] == [used.credential, reader.credential]
        assert list(in_use)[-1].has_setup_right(clock.now())
    assert "shown once" in text(sure.post(where(fresh, "set-up/"), {"once": "x"}, follow=True))
    assert in_use.count() == 3


def test_a_fresh_right_wants_the_password(alice: Client, bob: Client, fresh: Enrolled) -> None:
    asked = send_once(alice, where(fresh, "set-up/"))
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert bob.post(where(fresh, "set-up/")).status_code == 404
    assert Credential.objects.count() == 1


def test_no_fresh_right_for_one_that_was_set_up(sure: Client, fresh: Enrolled) -> None:
    value = re.findall(r'name="once" value="([^"]+)"', text(sure.get(where(fresh, "set-up/"))))[0]
    deposit(fresh, ObjectType.CONFIG)
    assert "has been set up" in text(sure.get(where(fresh, "set-up/")))
    page = text(sure.post(where(fresh, "set-up/"), {"once": value}, follow=True))
    assert "has been set up already" in page
    assert Credential.objects.count() == 1


def test_another_name(alice: Client, bob: Client, account: Account, fresh: Enrolled) -> None:
    other = enrol(account, "other")
    assert "Rename" in text(alice.get(where(fresh, "rename/")))
    assert alice.post(where(fresh, "rename/"), {"name": "Anna’s mini"}).status_code == 302
    assert Vault.objects.get(pk=fresh.vault.pk).name == "Anna’s mini"
    page = text(alice.post(where(fresh, "rename/"), {"name": other.vault.name}))
    assert "a vault of this name already" in page
    assert alice.post(where(fresh, "rename/"), {"name": ""}).status_code == 200
    assert bob.post(where(fresh, "rename/"), {"name": "mine"}).status_code == 404
    assert Vault.objects.get(pk=fresh.vault.pk).name == "Anna’s mini"
    assert "gave the vault “mini” the name “Anna’s mini”" in text(alice.get("/activity/"))


def test_deleting_one_that_was_never_set_up(
    sure: Client, bob: Client, account: Account, fresh: Enrolled
) -> None:
    assert "Delete this vault" in text(sure.get(where(fresh)))
    assert bob.post(where(fresh, "delete/")).status_code == 404
    assert "never set up" in text(sure.get(where(fresh, "delete/")))
    assert Vault.objects.filter(pk=fresh.vault.pk).exists()
    assert sure.post(where(fresh, "delete/")).status_code == 302
    assert not Vault.objects.exists()
    assert not Credential.objects.exists()
    assert AuditEvent.objects.filter(verb="vault.delete", account=account).count() == 1
    assert sure.get(where(fresh)).status_code == 404


def test_what_a_broken_set_up_left_goes_with_it(
    sure: Client, account: Account, fresh: Enrolled
) -> None:
    deposit(fresh, ObjectType.KEY)
    sure.post(where(fresh, "delete/"))
    obj = StoredObject.objects.get()
    assert obj.state == "tombstoned"
    closed = Vault.objects.get()
    assert closed.closed_at is not None
    assert not Credential.objects.filter(revoked_at=None).exists()
    assert sure.get(where(fresh)).status_code == 404
    usage = Usage.objects.get(account=account)
    assert usage.live_bytes == 0
    again = enrol_device(account, name="mini again", actor=SERVICE)
    sure.post(where(again, "rename/"), {"name": "mini"})
    assert Vault.objects.get(closed_at=None).name == "mini"


def test_one_that_a_computer_was_connected_to(
    sure: Client, account: Account, fresh: Enrolled
) -> None:
    """What refers to it keeps the row, closed; the name is free."""
    asked = grant.begin(computer="mini", program="restic", address=None)
    user = account.memberships.get().user
    grant.approve(asked.request, fresh.vault, scope="backup", by=user, actor=SERVICE)
    grant.collect(asked.device_code)
    assert sure.post(where(fresh, "delete/")).status_code == 302
    assert Vault.objects.get().closed_at is not None
    assert Vault.objects.get().name != "mini"


def test_its_locks_go_with_it(sure: Client, account: Account, fresh: Enrolled) -> None:
    access = Access(fresh.first.credential, fresh.vault, entitlements_of(account))
    locks.keep(access, parse_name("locks", "a" * 64), b"a lock")
    sure.post(where(fresh, "delete/"))
    assert not Vault.objects.exists()
    usage = Usage.objects.get(account=account)
    assert (usage.locks_held, usage.lock_bytes) == (0, 0)


def test_a_credential_made_by_the_operator_too(fresh: Enrolled) -> None:
    credentials.revoke(fresh.first.credential, actor=SERVICE)
    made = credentials.create(fresh.vault, scope="maintain", actor=SERVICE)
    assert not made.credential.has_setup_right(clock.now())
    assert Vault.objects.get().is_new


@pytest.mark.parametrize("path", ["/vaults/%00/", "/devices/a%00b/retire/", "/dashboard/?a=%00"])
def test_characters_that_are_none_in_addresses(alice: Client, path: str) -> None:
    assert alice.get(path).status_code == 400


def test_characters_that_are_none_in_forms(alice: Client, fresh: Enrolled) -> None:
    assert alice.post(where(fresh, "rename/"), {"name": "a\x00b"}).status_code == 400
    assert Vault.objects.get().name == "mini"
