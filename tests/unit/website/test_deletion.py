"""A vault with backups is deleted after the grace, and kept as it was until then."""

from datetime import timedelta

import pytest

from accounts.audit import SERVICE, Actor
from accounts.models import AuditEvent, Notice
from backup_service import clock
from billing.actions import entitlements_of
from storage import tasks
from storage.deletion import purge, whole_vaults
from storage.errors import ForbiddenError
from storage.models import Credential, StoredObject, Undelete, Usage, Vault
from storage.notices import late_backups
from storage.object_names import ObjectType
from storage.rewind import requests, worker
from storage.rewind.requests import UndeleteError, Wanted
from storage.vaults.access import Access
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.website.conftest import back_up, deposit

pytestmark = pytest.mark.django_db


def where(enrolled: Enrolled, what: str = "") -> str:
    return f"/vaults/{enrolled.vault.public_id}/{what}"


@pytest.fixture
def full(laptop: Enrolled) -> Enrolled:
    """A vault with two keys, a backup and its copies."""
    for kind in (ObjectType.KEY, ObjectType.KEY, ObjectType.CONFIG):
        deposit(laptop, kind)
    back_up(laptop)
    return laptop


def delete(client: Client, enrolled: Enrolled) -> None:
    assert client.post(where(enrolled, "delete/"), {"name": "laptop"}).status_code == 302


def live() -> set[tuple[str, str]]:
    return set(StoredObject.objects.live().values_list("type", "name"))


def test_it_asks_for_name_and_password(
    alice: Client, bob: Client, sure: Client, full: Enrolled
) -> None:
    page = text(sure.get(where(full, "delete/")))
    assert "Delete “laptop” with all its backups?" in page
    for name in ("", "Laptop", "other"):
        assert "errorlist" in text(sure.post(where(full, "delete/"), {"name": name}))
    assert bob.post(where(full, "delete/"), {"name": "laptop"}).status_code == 404
    assert bob.post(where(full, "keep/")).status_code == 404
    assert Vault.objects.get().deletion_asked_at is None


def test_not_from_an_open_browser_alone(alice: Client, full: Enrolled) -> None:
    response = alice.post(where(full, "delete/"), {"name": "laptop"})
    assert response["Location"].startswith("/accounts/reauthenticate/")
    assert Vault.objects.get().deletion_asked_at is None


def test_from_the_wish_on_nothing_is_stored_and_people_are_told(
    sure: Client, full: Enrolled
) -> None:
    delete(sure, full)
    delete(sure, full)  # again changes nothing
    page = text(sure.get(where(full)))
    assert "Going to be deleted" in page
    assert "you can keep it" in page
    assert Notice.objects.filter(kind="vault-deletion").count() == 1
    credential = Credential.objects.select_related("vault__account").get()
    access = Access(credential, credential.vault, entitlements_of(credential.vault.account))
    with pytest.raises(ForbiddenError, match="is being deleted"):
        access.require_create(ObjectType.DATA)
    with pytest.raises(ForbiddenError, match="can also keep it"):
        access.require_read()
    with pytest.raises(UndeleteError, match="Keep it first"):
        requests.request(full.vault, Wanted(moment=clock.now()), actor=_actor())
    with clock.travelled(timedelta(days=9)):
        assert late_backups.tell_due() == 0
    assert "asked for the deletion of the vault “laptop”" in text(sure.get("/activity/"))


def test_it_stands_as_what_it_is_and_shows_no_figures_that_mean_nothing(
    sure: Client, full: Enrolled
) -> None:
    delete(sure, full)
    tasks.delete_vaults()
    for page in ("/dashboard/", where(full)):
        shown = text(sure.get(page)).split('id="growth"')[0]
        assert "deleting" in shown
        for wrong in ("retired", "No computer is in use", "Next expected", "none yet", "0 B"):
            assert wrong not in shown.split("Room in your plan")[0], wrong
    sure.post(where(full, "keep/"))
    worker.undelete_due()
    assert "Next expected" in text(sure.get(where(full)))


def test_its_room_is_free_soon(sure: Client, full: Enrolled) -> None:
    delete(sure, full)
    tasks.delete_vaults()
    assert live() == set()
    usage = Usage.objects.get(account=full.vault.account)
    assert usage.live_bytes == 0
    assert usage.charged(10**9) == 0
    assert whole_vaults.remove_due(seconds=1) == 0


@pytest.mark.parametrize("batch", [1, 200])
def test_it_is_kept_as_it_was(
    sure: Client, full: Enrolled, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    before = live()
    delete(sure, full)
    monkeypatch.setattr(whole_vaults, "BATCH", batch)
    whole_vaults.remove_due(seconds=10)
    with clock.travelled(timedelta(days=29)):
        assert sure.post(where(full, "keep/"))["Location"].startswith(where(full, "undelete/"))
        worker.undelete_due()
        assert live() == before
        assert Undelete.objects.get().is_over
        assert whole_vaults.remove_due(seconds=1) == 0
    assert "Going to be deleted" not in text(sure.get(where(full)))
    assert "kept the vault “laptop”" in text(sure.get("/activity/"))


def test_keeping_one_of_which_only_a_part_is_gone(
    sure: Client, full: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys go all in one, so none stays away because another one is there."""
    before = live()
    delete(sure, full)
    monkeypatch.setattr(whole_vaults, "BATCH", 1)
    for expected in (3, 1):  # config and keys; then one object
        assert whole_vaults._remove_some(full.vault.pk) == expected  # noqa: SLF001
    sure.post(where(full, "keep/"))
    worker.undelete_due()
    assert live() == before


def test_keeping_one_that_nothing_was_removed_from(sure: Client, full: Enrolled) -> None:
    before = live()
    delete(sure, full)
    assert sure.post(where(full, "keep/"))["Location"] == where(full)
    assert sure.post(where(full, "keep/"))["Location"] == where(full)
    assert live() == before
    assert not Undelete.objects.exists()
    whole_vaults.remove_due(seconds=1)
    assert live() == before


def test_after_the_grace_it_is_gone(sure: Client, full: Enrolled) -> None:
    delete(sure, full)
    whole_vaults.remove_due(seconds=10)
    assert whole_vaults.close_ended() == 0
    with clock.travelled(timedelta(days=31)):
        purge.purge(grace_ended_before=clock.now())
        assert "It is too late" in text(sure.post(where(full, "keep/"), follow=True))
        Vault.objects.update(deletion_asked_at=clock.now() - timedelta(days=60))
        whole_vaults.close_ended()
        closed = Vault.objects.get()
        assert closed.closed_at is not None
        assert closed.name != "laptop"
        assert not Credential.objects.filter(revoked_at=None).exists()
        assert not StoredObject.objects.exists()
        assert sure.get(where(full)).status_code == 404
    assert AuditEvent.objects.filter(verb="vault.deleted").count() == 1


def test_not_while_something_comes_back(sure: Client, full: Enrolled) -> None:
    Undelete.objects.create(
        vault=full.vault, actor_label="alice@example.org", removed_before=clock.now()
    )
    sure.post(where(full, "delete/"), {"name": "laptop"})
    assert Vault.objects.get().deletion_asked_at is None


def _actor() -> Actor:
    return SERVICE
