"""What Alice sees first: her vaults, how they stand, and how full her plan is."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.access import Seat
from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from storage.models import Replica, StoredObject, Usage, Vault
from storage.object_names import ObjectType
from storage.replication.replicator import replicate_due
from storage.vault_status import overview
from storage.vault_status.protection import Standing
from storage.vaults.devices import retire_device
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.website.conftest import back_up, deposit, enrol

pytestmark = pytest.mark.django_db

DASHBOARD = "/dashboard/"


def standing_of(account: Account) -> Standing:
    [shown] = overview.dashboard(Seat(account.memberships.get())).vaults
    return shown.protection.standing


def test_nothing_yet_leads_to_a_first_device(alice: Client) -> None:
    page = text(alice.get(DASHBOARD))
    assert "Nothing is backed up yet" in page
    assert reverse("device_add") in page


def test_a_new_device_was_never_backed_up(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    assert standing_of(account) is Standing.NEVER
    assert "No backup has been completed yet." in text(alice.get(DASHBOARD))


def test_a_backup_without_its_copies_is_copying(account: Account, laptop: Enrolled) -> None:
    back_up(laptop, copied=False)
    assert standing_of(account) is Standing.COPYING


def test_a_backup_with_its_copies_is_protected(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    back_up(laptop)
    assert standing_of(account) is Standing.PROTECTED
    page = text(alice.get(DASHBOARD))
    assert "2 of 2 copies" in page
    assert "protected" in page


def test_an_old_backup_is_late(account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    with clock.travelled(timedelta(days=3)):
        assert standing_of(account) is Standing.LATE


def test_copies_that_do_not_come_are_a_risk(account: Account, laptop: Enrolled) -> None:
    back_up(laptop, copied=False)
    with clock.travelled(timedelta(hours=2)):
        assert standing_of(account) is Standing.AT_RISK


def test_a_lost_object_is_a_risk(alice: Client, account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    StoredObject.objects.filter(type=ObjectType.DATA).update(state="lost")
    Replica.objects.filter(object__type=ObjectType.DATA).update(state="missing")
    assert standing_of(account) is Standing.AT_RISK
    assert "No good copy is left of 1 object." in text(alice.get(DASHBOARD))


def test_figures_are_those_of_the_rows(account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    deposit(laptop, ObjectType.DATA, size=5000)
    [shown] = overview.dashboard(Seat(account.memberships.get())).vaults
    figures = shown.figures
    assert (figures.objects, figures.snapshots, figures.bytes) == (4, 1, 8000)
    assert (figures.thin, figures.fewest_copies, figures.waiting) == (1, 1, 1)
    replicate_due()
    [shown] = overview.dashboard(Seat(account.memberships.get())).vaults
    assert (shown.figures.thin, shown.copies, shown.figures.waiting) == (0, 2, 0)


def test_what_was_removed_counts_no_more(account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    StoredObject.objects.filter(type=ObjectType.DATA).update(state="tombstoned")
    [shown] = overview.dashboard(Seat(account.memberships.get())).vaults
    assert shown.figures.bytes == 2000


def test_quota_is_told_in_numbers_and_as_a_bar(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    Usage.objects.filter(account=account).update(
        live_bytes=150 * 10**9, tombstoned_bytes=210 * 10**9, reserved_bytes=10**9
    )
    page = text(alice.get(DASHBOARD)).replace("\u00a0", " ")
    assert "161 GB <small>of 200 GB, plan Personal</small>" in page
    assert 'aria-label="80 % used"' in page
    assert 'width="800"' in page
    assert "Soon there is no room" in page


def test_a_full_plan_says_what_still_works(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    Usage.objects.filter(account=account).update(live_bytes=201 * 10**9)
    page = text(alice.get(DASHBOARD))
    assert "New backups are refused until there is room; restores work." in page
    assert 'width="1000"' in page


def test_a_frozen_account_says_so(alice: Client, account: Account, laptop: Enrolled) -> None:
    account.state = "frozen"
    account.save(update_fields=["state"])
    assert "account is frozen" in text(alice.get(DASHBOARD))


def test_vaults_outlive_their_devices(alice: Client, account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    device = laptop.vault.device
    assert device is not None
    retire_device(device, actor=SERVICE)
    page = text(alice.get(DASHBOARD))
    assert "Vaults without a device in use" in page
    assert laptop.vault.public_id in page


def test_the_number_of_queries_does_not_grow(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    back_up(laptop)
    alice.get(DASHBOARD)
    with CaptureQueriesContext(connection) as few:
        alice.get(DASHBOARD)
    for name in ("two", "three", "four", "five"):
        back_up(enrol(account, name))
    fifth = Vault.objects.get(name="five").device
    assert fifth is not None
    retire_device(fifth, actor=SERVICE)
    with CaptureQueriesContext(connection) as many:
        page = text(alice.get(DASHBOARD))
    assert page.count("protected") >= 5
    assert len(many) == len(few) <= 14


def test_bob_sees_nothing_of_alice(bob: Client, laptop: Enrolled) -> None:
    assert laptop.vault.public_id not in text(bob.get(DASHBOARD))


def test_charlie_is_offered_an_account(charlie: Client) -> None:
    assert "no account of your own yet" in text(charlie.get(DASHBOARD))
    charlie.post(reverse("account_open"))
    assert "Nothing is backed up yet" in text(charlie.get(DASHBOARD))


def test_an_account_is_opened_once(alice: Client, account: Account) -> None:
    alice.post(reverse("account_open"))
    assert account.memberships.get().user.memberships.count() == 1
