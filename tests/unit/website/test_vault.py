"""A vault's own page."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent
from backup_service import clock
from billing.actions import subscribe
from storage.deletion import vaults
from storage.models import Region, StoredObject, Vault, VaultEvent, VaultSample
from storage.object_names import ObjectType
from storage.regions import lifecycle
from storage.replication import backfill
from storage.replication.replicator import replicate_due
from storage.vault_status import overview
from storage.vaults import credentials
from storage.vaults.enrolment import Enrolled
from storage.vaults.quota import recount
from storage.website import vault_page
from tests.support.pages import Client, text
from tests.support.responses import Response
from tests.support.storage.counts import recounted
from tests.unit.website.conftest import back_up, deposit, enrol

pytestmark = pytest.mark.django_db


def page_of(client: Client, enrolled: Enrolled) -> Response:
    return client.get(f"/vaults/{enrolled.vault.public_id}/")


def test_it_tells_the_address_and_no_secret(alice: Client, laptop: Enrolled) -> None:
    page = text(page_of(alice, laptop))
    assert laptop.url in page
    assert laptop.first.secret not in page
    assert laptop.first.credential.secret_sha256 not in page


def test_copies_are_told_by_region(alice: Client, laptop: Enrolled) -> None:
    Region.objects.filter(alias="b").update(place="North Sea coast")
    back_up(laptop)
    deposit(laptop, ObjectType.DATA)
    near, far = overview.copies_by_region(laptop.vault)
    assert (near.place, near.stored, near.bytes, near.waiting) == ("Place A", 4, 4000, 0)
    assert (far.place, far.stored, far.bytes, far.waiting) == ("North Sea coast", 3, 3000, 1)
    assert "North Sea coast" in text(page_of(alice, laptop))


def test_a_copy_that_there_is_no_place_for_is_not_passed_over(
    alice: Client, account: Account, laptop: Enrolled, settings: Settings
) -> None:
    subscribe(account, plan="plus", actor=SERVICE)
    back_up(laptop)
    page = " ".join(text(page_of(alice, laptop)).split())
    assert "2 of 3 copies" in page
    assert "places for 2 now" in page
    assert (
        "promises 3 copies in separate places, and at present the service has 2 such places" in page
    )
    settings.REGIONS |= {"c": str(settings.DATA_DIR / "region-c")}
    lifecycle.add("c", SERVICE)
    backfill.backfill_due()
    assert "2 of 3 copies" in text(page_of(alice, laptop))
    replicate_due()
    page = text(page_of(alice, laptop))
    assert "3 of 3 copies" in page
    assert "in separate places" not in page


def test_copies_in_a_region_that_is_offline_do_not_count(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    lifecycle.offline(lifecycle.find("b"), SERVICE)
    page = text(page_of(alice, laptop))
    assert "1 of 2 copies" in page
    assert "There is only one copy of 3 objects." in page
    lifecycle.online(lifecycle.find("b"), SERVICE)
    assert "2 of 2 copies" in text(page_of(alice, laptop))


def test_days_with_a_backup_are_counted(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    back_up(laptop)
    with clock.travelled(timedelta(days=2)):
        back_up(laptop)
        days = overview.backups_by_day(laptop.vault)
        page = text(page_of(alice, laptop))
    assert len(days) == 30
    assert [count for _, count in days[-3:]] == [2, 0, 1]
    assert "Backups on 2 of 30 days" in page


def test_the_recovery_point_is_told(alice: Client, account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    assert "Recovery point: now" in text(page_of(alice, laptop))
    assert "Recovery point" not in text(page_of(alice, enrol(account, "empty")))
    deposit(laptop, ObjectType.DATA)
    page = text(page_of(alice, laptop))
    assert "Recovery point: now" not in page
    assert "1 object since has not" in " ".join(page.split())


@pytest.mark.parametrize("embedded", [True, False])
def test_nobody_is_told_that_folders_of_one_disk_are_separate(
    alice: Client, laptop: Enrolled, settings: Settings, embedded: bool
) -> None:
    settings.EMBEDDED = embedded
    back_up(laptop)
    page = " ".join(text(page_of(alice, laptop)).split())
    assert ("folders of one disk" in page) == embedded
    assert ("the loss of a whole one would cost nothing" in page) == (not embedded)


def test_lost_objects_are_named_with_what_to_do(
    alice: Client, bob: Client, laptop: Enrolled
) -> None:
    back_up(laptop)
    assert "no good copy" not in text(page_of(alice, laptop)).lower()
    names = [deposit(laptop, ObjectType.DATA) for _ in range(22)]
    StoredObject.objects.filter(name__in=names).update(state="lost")
    recounted()
    page = text(page_of(alice, laptop))
    assert "22 objects lost" in page
    assert "nightsafe backup" in page
    assert f"data/{names[0]}" in page
    assert "and 2 more" in page
    assert page_of(bob, laptop).status_code == 404


def lose(laptop: Enrolled, *kinds: ObjectType) -> list[str]:
    names = [deposit(laptop, kind) for kind in kinds]
    StoredObject.objects.filter(name__in=names).update(state="lost")
    recounted()
    return names


def test_what_is_lost_is_taken_off_the_list_by_its_owner(
    alice: Client, bob: Client, account: Account, laptop: Enrolled
) -> None:
    back_up(laptop)
    page = reverse("vault_give_up", args=[laptop.vault.public_id])
    assert page not in page_of(alice, laptop).content.decode()
    assert "Nothing is lost" in text(alice.get(page))
    kept = deposit(laptop, ObjectType.DATA)
    names = lose(laptop, ObjectType.DATA, ObjectType.SNAPSHOT, ObjectType.INDEX)
    assert page in page_of(alice, laptop).content.decode()
    assert "Take 3 lost objects off the list?" in text(alice.get(page))
    assert StoredObject.objects.filter(state="lost").count() == 3  # asked, not done
    assert bob.get(page).status_code == bob.post(page).status_code == 404
    assert StoredObject.objects.filter(state="lost").count() == 3

    shown = text(alice.post(page, follow=True))
    assert "3 lost objects are off the list" in shown
    assert "3 objects lost" not in shown
    assert "took 3 of what was lost off the list" in shown
    given_up = StoredObject.objects.filter(name__in=names)
    assert set(given_up.values_list("state", flat=True)) == {"tombstoned"}
    assert StoredObject.objects.get(name=kept).state == "live"
    assert recount(account, mend=False).agrees
    assert "Nothing is lost" in text(alice.get(page))


def test_what_a_vault_cannot_be_opened_without_is_not_given_up(
    alice: Client, laptop: Enrolled
) -> None:
    for kind in (ObjectType.CONFIG, ObjectType.KEY):
        deposit(laptop, kind)
    essential = StoredObject.objects.filter(type__in=[ObjectType.CONFIG, ObjectType.KEY])
    count = essential.update(state="lost")
    assert count
    recounted()
    page = reverse("vault_give_up", args=[laptop.vault.public_id])
    assert "cannot be opened" in text(alice.post(page, follow=True))
    assert essential.filter(state="lost").count() == count


def test_what_is_lost_is_taken_off_so_many_at_a_time(
    alice: Client, laptop: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region that burns may lose very many, and the vault is locked meanwhile."""
    monkeypatch.setattr(vaults, "MOST_GIVEN_UP", 2)
    back_up(laptop)
    lose(laptop, *[ObjectType.DATA] * 3)
    page = reverse("vault_give_up", args=[laptop.vault.public_id])
    assert "2 lost objects are off the list" in text(alice.post(page, follow=True))
    assert StoredObject.objects.filter(state="lost").count() == 1
    assert "1 lost object is off the list" in text(alice.post(page, follow=True))
    assert not StoredObject.objects.filter(state="lost").exists()


def test_its_history_is_its_own(alice: Client, account: Account, laptop: Enrolled) -> None:
    other = enrol(account, "other")
    page = text(page_of(alice, laptop))
    assert laptop.first.credential.prefix in page
    assert other.first.credential.prefix not in page
    assert "made the vault “laptop”" in page


def test_revoked_credentials_stay_on_the_list(alice: Client, laptop: Enrolled) -> None:
    credentials.revoke(laptop.first.credential, actor=SERVICE)
    page = text(page_of(alice, laptop))
    assert "revoked <time" in page
    assert "Revoke<span" not in page


def test_those_in_use_come_first_of_however_many(
    alice: Client, laptop: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a database puts what is null behind all else."""
    monkeypatch.setattr(vault_page, "CREDENTIALS", 3)
    over = [credentials.create(laptop.vault, scope="restore", actor=SERVICE) for _ in range(4)]
    for made in over:
        credentials.revoke(made.credential, actor=SERVICE)
    shown = list(page_of(alice, laptop).context["credentials"])
    newest = [over[3].credential, over[2].credential]
    assert shown == [laptop.first.credential, *newest]


def test_the_number_of_queries_does_not_grow(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    page_of(alice, laptop)
    with CaptureQueriesContext(connection) as few:
        page_of(alice, laptop)
    for _ in range(4):
        credentials.create(laptop.vault, scope="restore", actor=SERVICE)
        back_up(laptop)
    with CaptureQueriesContext(connection) as many:
        page_of(alice, laptop)
    assert len(many) == len(few) <= 21


def test_what_happened_comes_in_pages_and_can_be_narrowed(
    alice: Client, bob: Client, laptop: Enrolled
) -> None:
    now, kinds = clock.now(), VaultEvent.Kind
    VaultEvent.objects.bulk_create(
        VaultEvent(
            vault=laptop.vault,
            kind=kind,
            first_at=now - timedelta(hours=n),
            last_at=now - timedelta(hours=n),
            credential=laptop.first.credential,
            status=507,
            text=f"Over quota, no. {n}.",
        )
        for kind in (kinds.RUN, kinds.REFUSAL, kinds.FAILED)
        for n in range(30)
    )
    page = reverse("vault_events", args=[laptop.vault.public_id])
    assert page in page_of(alice, laptop).content.decode()
    first = text(alice.get(page))
    assert first.count('data-label="When"') == 50
    assert "page=2" in first
    assert text(alice.get(f"{page}?page=2")).count('data-label="When"') == 40
    trouble = text(alice.get(f"{page}?show=trouble&page=2"))
    assert trouble.count('data-label="When"') == 10
    assert "A backup was completed" not in trouble
    assert "Refused: Over quota, no. 29." in trouble
    assert "?show=trouble&amp;page=1" in trouble
    backups = text(alice.get(f"{page}?show=backups"))
    assert "Refused" not in backups
    assert "A backup was completed" in backups
    assert "Nothing yet" in text(alice.get(f"{page}?show=removals"))
    assert text(alice.get(f"{page}?show=what&page=x")).count('data-label="When"') == 50
    assert bob.get(page).status_code == 404
    with CaptureQueriesContext(connection) as asked:
        alice.get(page)
    assert len(asked) <= 7


def test_growth_is_drawn(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    assert "<polyline" not in text(page_of(alice, laptop))
    today = clock.now().date()
    VaultSample.objects.bulk_create(
        VaultSample(vault=laptop.vault, day=today - timedelta(days=n), bytes=1000)
        for n in range(1, 30)
    )
    page = text(page_of(alice, laptop)).replace("\u00a0", " ")
    assert "<polyline" in page
    assert "to 3 kB now" in page


def test_bob_finds_nothing_there(bob: Client, laptop: Enrolled) -> None:
    assert page_of(bob, laptop).status_code == 404


@pytest.mark.parametrize(
    ("hours", "seconds"), [("1", 3600), ("168", 604_800), ("0", 0), ("5", 0), ("x", 0), ("-1", 0)]
)
def test_how_often_backups_are_expected_is_saved(
    alice: Client, laptop: Enrolled, hours: str, seconds: int
) -> None:
    address = reverse("vault_interval", args=[laptop.vault.public_id])
    for _ in range(2):
        alice.post(address, {"hours": hours})
    assert Vault.objects.get().expected_interval == seconds
    changes = AuditEvent.objects.filter(verb="vault.expect").count()
    assert changes == (1 if seconds else 0)
