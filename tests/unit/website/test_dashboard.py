"""What Alice sees first: her vaults, how they stand, and how full her plan is."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.access import Seat
from accounts.audit import SERVICE
from accounts.closing.actions import close, reopen
from accounts.models import Account, Device, Membership
from backup_service import clock
from billing.grants import grant
from billing.models import Subscription
from storage.errors import ForbiddenError
from storage.models import Replica, StoredObject, Usage, UsageSample, Vault
from storage.object_names import ObjectType
from storage.replication import leases, transfer
from storage.replication.replicator import begin, finish, replicate_due, transfer_of
from storage.vault_status import overview
from storage.vault_status.dashboard import computers
from storage.vault_status.protection import Standing, VaultFigures
from storage.vaults.devices import retire_device
from storage.vaults.enrolment import Enrolled
from storage.website.computer_table import COLUMNS
from tests.support.pages import Client, text
from tests.support.storage.counts import recounted
from tests.unit.website.conftest import back_up, deposit, enrol

pytestmark = pytest.mark.django_db

DASHBOARD = "/dashboard/"


def vault_of(account: Account) -> overview.VaultOverview:
    [shown] = computers(Seat(account.memberships.get()), overview.plan_of(account)).vaults
    return shown


def standing_of(account: Account) -> Standing:
    return vault_of(account).protection.standing


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


def test_a_new_vault_is_at_no_moment_at_risk(account: Account, laptop: Enrolled) -> None:
    seen = [standing_of(account)]
    for kind in (ObjectType.CONFIG, ObjectType.KEY, ObjectType.DATA, ObjectType.INDEX):
        deposit(laptop, kind)
        seen.append(standing_of(account))
    assert set(seen) == {Standing.NEVER}
    deposit(laptop, ObjectType.SNAPSHOT)
    while Replica.objects.waiting().exists():
        assert standing_of(account) is Standing.COPYING
        one = leases.claim(1)
        (replica,) = one.replicas
        (attempt,) = begin([replica])
        assert standing_of(account) is Standing.COPYING
        outcome = transfer.copy(transfer_of(replica, attempt))
        assert standing_of(account) is Standing.COPYING
        assert outcome.error is None
        finish(replica, one.token, attempt)
    assert standing_of(account) is Standing.PROTECTED


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
    recounted()
    assert standing_of(account) is Standing.AT_RISK
    assert "No good copy is left of 1 object." in text(alice.get(DASHBOARD))


def test_figures_are_those_of_the_rows(account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    deposit(laptop, ObjectType.DATA, size=5000)
    shown = vault_of(account)
    figures = shown.figures
    assert (figures.objects, figures.snapshots, figures.bytes) == (4, 1, 8000)
    assert (figures.thin, figures.fewest_copies, figures.waiting) == (1, 1, 1)
    replicate_due()
    shown = vault_of(account)
    assert (shown.figures.thin, shown.copies, shown.figures.waiting) == (0, 2, 0)


def test_what_was_removed_counts_no_more(account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    StoredObject.objects.filter(type=ObjectType.DATA).update(state="tombstoned")
    recounted()
    shown = vault_of(account)
    assert shown.figures.bytes == 2000


def test_quota_is_told_in_numbers_and_as_a_bar(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    Usage.objects.filter(account=account).update(
        live_bytes=150 * 10**9, tombstoned_bytes=210 * 10**9, reserved_bytes=10**9
    )
    page = text(alice.get(DASHBOARD)).replace("\u00a0", " ")
    assert "161 GB <small> of 200 GB, plan Personal </small>" in page
    assert "10 GB count" in page
    assert 'aria-label="80 % used"' in page
    assert 'width="800"' in page
    assert "Soon there is no room" in page


def test_a_full_plan_says_what_still_works(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    Usage.objects.filter(account=account).update(live_bytes=201 * 10**9)
    page = text(alice.get(DASHBOARD))
    assert "New backups are refused until there is room; restores work." in page
    assert "can store up to 20 GB beyond the plan" in page.replace("\u00a0", " ")
    assert 'width="1000"' in page


def test_a_frozen_account_says_so(alice: Client, account: Account, laptop: Enrolled) -> None:
    account.state = "frozen"
    account.save(update_fields=["state"])
    assert "account is frozen" in text(alice.get(DASHBOARD))


def test_a_closed_account_expects_nothing(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    """Opened again it stands as it did."""
    back_up(laptop)
    before = text(alice.get(DASHBOARD))
    close(account, reason="owner", actor=SERVICE)
    page = text(alice.get(DASHBOARD))
    assert "This account is closed; the backups are here until it is erased." in page
    for wrong in ("Your computer is protected.", "Next expected", "Add a computer"):
        assert wrong in before
        assert wrong not in page
    with pytest.raises(ForbiddenError):
        deposit(laptop, ObjectType.SNAPSHOT)
    reopen(account, actor=SERVICE)
    assert "Your computer is protected." in text(alice.get(DASHBOARD))


def test_vaults_outlive_their_devices(alice: Client, account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    device = laptop.vault.device
    assert device is not None
    retire_device(device, actor=SERVICE)
    page = text(alice.get(DASHBOARD))
    assert "No computer is in use; the backups are still here." in page
    assert "retired" in page
    assert laptop.vault.public_id in page


def test_the_number_of_queries_does_not_grow(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    back_up(laptop)
    retire(account, "old")
    alice.get(DASHBOARD)
    with CaptureQueriesContext(connection) as few:
        alice.get(DASHBOARD)
    for name in ("two", "three", "four", "five"):
        back_up(enrol(account, name))
    retire(account, "older")
    with CaptureQueriesContext(connection) as many:
        page = text(alice.get(DASHBOARD))
    assert page.count("protected") >= 5
    assert len(many) == len(few) <= 15


def retire(account: Account, name: str) -> None:
    enrolled = enrol(account, name)
    back_up(enrolled)
    assert enrolled.vault.device is not None
    retire_device(enrolled.vault.device, actor=SERVICE)


@pytest.fixture
def hundred(account: Account, monkeypatch: pytest.MonkeyPatch) -> list[Vault]:
    """A hundred computers of long names, all backed up, two of them late."""
    now = clock.now()
    names = [f"workstation-{n:03}.berlin.example.org" for n in range(100)]
    devices = Device.objects.bulk_create(Device(account=account, name=name) for name in names)
    vaults = Vault.objects.bulk_create(
        Vault(account=account, device=device, name=device.name) for device in devices
    )

    def figures(asked: list[Vault]) -> dict[int, VaultFigures]:
        return {
            vault.pk: VaultFigures(
                objects=1000,
                snapshots=1000,
                bytes=number * 10**9 + 123_456_789,
                fewest_copies=2,
                last_backup=now - timedelta(days=9 if number in (70, 71) else 0, hours=number % 24),
            )
            for number, vault in enumerate(sorted(asked, key=lambda vault: vault.name))
        }

    monkeypatch.setattr(overview, "figures_of", figures)
    return vaults


def test_a_hundred_computers_are_a_table_that_begins_with_the_late(
    alice: Client, hundred: list[Vault]
) -> None:
    page = text(alice.get(DASHBOARD))
    assert "98 of 100 computers are protected: 2 are late." in page
    names = re.findall(r">(workstation-\d+)\S+</a></th>", page)
    assert len(names) == 50
    assert names[:3] == ["workstation-070", "workstation-071", "workstation-000"]
    assert "Nothing has been backed up for 10 days" in page
    assert "Page 1 of 2" in page
    second = text(alice.get(f"{DASHBOARD}?page=2"))
    assert len(re.findall(r"</a></th>", second)) == 50 + len(COLUMNS)


def test_a_hundred_computers_weigh_little(
    alice: Client, account: Account, hundred: list[Vault]
) -> None:
    """Of the page as it is sent: those for people who are signed in are not compressed."""
    _sampled(account, days=90)
    assert len(alice.get(DASHBOARD).content) < 40_000
    assert len(alice.get(f"{DASHBOARD}?page=2&sort=-size").content) < 40_000


def test_the_table_is_asked_for_by_its_address(alice: Client, hundred: list[Vault]) -> None:
    page = text(alice.get(f"{DASHBOARD}?q=station-07&standing=late&sort=-size"))
    assert "2 computers of 100" in page
    assert '<th scope="col" class="number" aria-sort="descending">' in page
    assert re.findall(r">workstation-(\d+)\S+</a></th>", page) == ["071", "070"]
    assert '<option value="late" selected>late (2)</option>' in page
    assert 'value="station-07"' in page
    nothing = text(alice.get(f"{DASHBOARD}?q=<script>alert(1)</script>"))
    assert "No computer is like that." in nothing
    assert "<script>alert" not in nothing


def test_a_hundred_computers_take_no_more_queries(
    alice: Client, account: Account, hundred: list[Vault]
) -> None:
    alice.get(DASHBOARD)
    with CaptureQueriesContext(connection) as asked:
        alice.get(DASHBOARD)
    assert len(asked) <= 13


def _sampled(account: Account, *, days: int, daily: int = 10**9) -> None:
    today = clock.now().date()
    UsageSample.objects.bulk_create(
        UsageSample(
            account=account,
            day=today - timedelta(days=days - n),
            live_bytes=n * daily,
            tombstoned_bytes=0,
        )
        for n in range(days)
    )
    Usage.objects.update_or_create(account=account, defaults={"live_bytes": days * daily})


def test_growth_is_drawn_and_goes_on(alice: Client, account: Account, laptop: Enrolled) -> None:
    assert "From the third day on" in text(alice.get(DASHBOARD))
    _sampled(account, days=40)
    page = text(alice.get(DASHBOARD)).replace("\u00a0", " ")
    full = clock.now().date() + timedelta(days=160)
    told = f"{full:%-d %B}" if full.year == clock.now().year else f"{full:%-d %B %Y}"
    assert f"At this rate the plan is full about {told}." in page
    assert "<polyline" in page
    assert "to 40 GB now" in page
    assert "dashed: your plan" not in page  # 200 GB are far away


def test_what_was_granted_is_room(alice: Client, account: Account, laptop: Enrolled) -> None:
    grant(account, quota_bytes=50 * 10**9, days=14, reason="moving", actor=SERVICE)
    Usage.objects.filter(account=account).update(live_bytes=200 * 10**9)
    page = text(alice.get(DASHBOARD)).replace("\u00a0", " ")
    assert "200 GB <small> of 250 GB, plan Personal </small>" in page
    assert "This includes 50 GB that were granted for a while." in page
    assert "80 % used." in page


def test_a_reason_that_names_billing_leads_there(alice: Client, account: Account) -> None:
    link = '<a href="/billing/">Open the page Billing</a>'
    assert link not in text(alice.get(DASHBOARD))
    unpaid = clock.now() - timedelta(days=20)
    Subscription.objects.filter(account=account).update(unpaid_since=unpaid)
    page = text(alice.get(DASHBOARD))
    assert "A payment is overdue, so new backups are paused; restores still work." in page
    assert link in page
    Membership.objects.filter(account=account).update(role=Membership.Role.MEMBER)
    assert link not in text(alice.get(DASHBOARD))


def test_a_closed_account_without_backups_offers_no_first_step(
    alice: Client, account: Account
) -> None:
    assert "nightsafe setup" in text(alice.get(DASHBOARD))
    close(account, reason="owner", actor=SERVICE)
    page = text(alice.get(DASHBOARD))
    assert "This account is closed, so no computer can be connected to it." in page
    assert "nightsafe setup" not in page


def test_a_device_without_a_vault_is_told(alice: Client, account: Account) -> None:
    Device.objects.create(account=account, name="an old one")
    page = text(alice.get(DASHBOARD))
    assert "an old one has no vault, so nothing of it is backed up." in page
    assert "Nothing is backed up yet" not in page


def test_bob_sees_nothing_of_alice(bob: Client, laptop: Enrolled) -> None:
    assert laptop.vault.public_id not in text(bob.get(DASHBOARD))


def test_charlie_is_offered_an_account(charlie: Client) -> None:
    assert "no account of your own yet" in text(charlie.get(DASHBOARD))
    charlie.post(reverse("account_open"))
    assert "Nothing is backed up yet" in text(charlie.get(DASHBOARD))


def test_an_account_is_opened_once(alice: Client, account: Account) -> None:
    alice.post(reverse("account_open"))
    assert account.memberships.get().user.memberships.count() == 1
