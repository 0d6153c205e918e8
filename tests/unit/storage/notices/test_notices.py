"""What people are told of their backups, when it is so, and once."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from accounts.models import Account, Delivery, Device, MailPreference, Membership, Notice
from accounts.notifications import notify
from backup_service import clock
from storage.models import LateNotice, QuotaNotice, Region, Usage, Vault
from storage.notices import late_backups, letters, plan_room, reports
from storage.object_names import ObjectType
from storage.vaults import credentials
from storage.vaults.devices import retire_device
from storage.vaults.enrolment import Enrolled
from tests.unit.website.conftest import deposit, enrol, owner, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(regions: list[Region], settings: Settings) -> Account:
    return owner("alice-told@example.org")


@pytest.fixture
def laptop(account: Account) -> Enrolled:
    made = enrol(account, "laptop")
    deposit(made, ObjectType.CONFIG)
    return made


def told(kind: str) -> list[str]:
    """Return the subjects of what was told of a kind."""
    from accounts.notifications.registry import kind_of

    notices = Notice.objects.filter(kind=kind).order_by("pk")
    return [kind_of(kind).write(notice.values).subject for notice in notices]


class TestLate:
    def test_at_once_and_then_every_week_until_a_backup_comes(self, laptop: Enrolled) -> None:
        deposit(laptop, ObjectType.SNAPSHOT)
        for day in range(20):
            with clock.travelled(timedelta(days=day)):
                late_backups.tell_due()
        assert len(told(letters.LATE)) == 3
        assert told(letters.LATE)[1].startswith("Reminder: ")
        with clock.travelled(timedelta(days=20)):
            deposit(laptop, ObjectType.SNAPSHOT)
            assert late_backups.tell_due() == 0
        with clock.travelled(timedelta(days=23)):
            assert late_backups.tell_due() == 1
        assert not told(letters.LATE)[3].startswith("Reminder: ")
        assert LateNotice.objects.get().count == 1

    def test_not_before_it_is_late(self, laptop: Enrolled) -> None:
        deposit(laptop, ObjectType.SNAPSHOT)
        late_from = Vault.objects.get().late_from
        assert late_from is not None
        left = late_from - clock.now()
        with clock.travelled(left - timedelta(minutes=1)):
            assert late_backups.tell_due() == 0
        with clock.travelled(left + timedelta(minutes=1)):
            assert late_backups.tell_due() == 1
            assert late_backups.tell_due() == 0

    def test_a_retired_computer_and_a_closed_account(self, laptop: Enrolled) -> None:
        deposit(laptop, ObjectType.SNAPSHOT)
        with clock.travelled(timedelta(days=9)):
            Account.objects.update(state=Account.State.CLOSED)
            assert late_backups.tell_due() == 0
            Account.objects.update(state=Account.State.ACTIVE)
            retire_device(Device.objects.get(), actor=SERVICE)
            assert late_backups.tell_due() == 0

    @pytest.mark.parametrize("scope", ["restore", "maintain", "backup"])
    def test_a_retired_computer_whose_vault_another_one_can_use(
        self, laptop: Enrolled, scope: str
    ) -> None:
        """Where a backup came since, or one is meant to, its absence is told as elsewhere."""
        deposit(laptop, ObjectType.SNAPSHOT)
        other = credentials.create(laptop.vault, scope=scope, actor=SERVICE)
        retire_device(Device.objects.get(), actor=SERVICE)
        with clock.travelled(timedelta(days=9)):
            assert late_backups.tell_due() == (scope == "backup")
            if scope == "maintain":
                deposit(Enrolled(laptop.vault, other), ObjectType.SNAPSHOT)
        with clock.travelled(timedelta(days=20)):
            assert late_backups.tell_due() == (scope != "restore")
            credentials.revoke(other.credential, actor=SERVICE)
        with clock.travelled(timedelta(days=40)):
            assert late_backups.tell_due() == 0

    def test_one_that_was_never_backed_up(self, laptop: Enrolled) -> None:
        for day in (1, 4, 5, 30):
            with clock.travelled(timedelta(days=day)):
                late_backups.tell_due()
        assert told(letters.NEVER) == ["“laptop” is not backed up yet"]

    def test_a_year_is_enough(self, laptop: Enrolled) -> None:
        deposit(laptop, ObjectType.SNAPSHOT)
        with clock.travelled(timedelta(days=400)):
            assert late_backups.tell_due() == 0

    def test_one_that_cannot_be_told_keeps_no_other_waiting(
        self,
        account: Account,
        laptop: Enrolled,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        deposit(laptop, ObjectType.SNAPSHOT)
        other = enrol(account, "other")
        deposit(other, ObjectType.CONFIG)
        deposit(other, ObjectType.SNAPSHOT)
        really = notify.notify

        def odd(*about: object, **more: object) -> object:
            if more["name"] == "laptop":
                raise ValueError("odd")
            return really(*about, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(late_backups, "notify", odd)
        with clock.travelled(timedelta(days=9)):
            assert late_backups.tell_due() == 1
        (subject,) = told(letters.LATE)
        assert subject.startswith("“other” has not been backed up since")
        assert "nobody could be told of a vault" in caplog.text
        assert not LateNotice.objects.filter(vault=laptop.vault).exists()


class TestPlan:
    def use(self, account: Account, per_cent: int) -> None:
        quota = 200 * 10**9
        Usage.objects.filter(account=account).update(live_bytes=quota * per_cent // 100)
        plan_room.tell_next()

    def test_each_level_once(self, account: Account, laptop: Enrolled) -> None:
        for per_cent in (10, 79, 80, 85, 94, 95, 96, 100, 104, 100, 99):
            self.use(account, per_cent)
        subjects = told(letters.QUOTA)
        assert [text.partition(" % ")[0][-2:] for text in subjects[:2]] == ["80", "95"]
        assert subjects[2:] == ["Your plan is full: new backups are refused"]
        full = letters.quota(Notice.objects.filter(kind=letters.QUOTA).latest("pk").values)
        assert "may store up to 20 GB more" in " ".join(full.lines).replace("\u00a0", " ")

    def test_anew_once_it_was_emptier(self, account: Account, laptop: Enrolled) -> None:
        self.use(account, 81)
        self.use(account, 78)  # at its edge, this is nothing new
        self.use(account, 81)
        assert len(told(letters.QUOTA)) == 1
        self.use(account, 40)
        assert QuotaNotice.objects.get().level == 0
        with clock.travelled(timedelta(hours=2)):
            self.use(account, 81)
        assert len(told(letters.QUOTA)) == 2


class TestReports:
    def test_whoever_runs_it_gets_one_a_month(self, account: Account, laptop: Enrolled) -> None:
        assert reports.send_due() == 0
        for day in (29, 31, 40, 60, 62):
            with clock.travelled(timedelta(days=day)):
                reports.send_due()
        assert len(told(letters.REPORT)) == 2
        assert told(letters.REPORT)[0] == "“alice-told”: 1 of 1 need you"
        assert Delivery.objects.filter(notice__kind=letters.REPORT).count() == 2

    def test_a_vault_at_rest_needs_nobody(self, account: Account, laptop: Enrolled) -> None:
        old = enrol(account, "old").vault.device
        assert old is not None
        retire_device(old, actor=SERVICE)
        with clock.travelled(timedelta(days=31)):
            reports.send_due()
        assert told(letters.REPORT) == ["“alice-told”: 1 of 1 need you"]

    def test_nobody_who_wants_none(self, account: Account) -> None:
        seat = account.memberships.get()
        MailPreference.objects.create(membership=seat, reports="never")
        with clock.travelled(timedelta(days=100)):
            assert reports.send_due() == 0
        MailPreference.objects.update(reports="weekly")
        with clock.travelled(timedelta(days=100)):
            assert reports.send_due() == 1
            assert reports.send_due() == 0
        with clock.travelled(timedelta(days=107, minutes=1)):
            assert reports.send_due() == 1

    def test_many_vaults_in_few_lines(self) -> None:
        bad = [(f"v{number}", "late", "Nothing came.") for number in range(50)]
        values = letters.report_values(account="A", standings=bad, used="1 GB", quota="5 GB")
        lines = values["lines"]
        assert isinstance(lines, list)
        assert len(lines) == 22
        assert lines[-1] == "And 30 more; the website lists them."


def test_a_new_credential_is_told(laptop: Enrolled) -> None:
    assert told(letters.CREDENTIAL) == ["A new credential for “laptop”"]
    kept = str(list(Notice.objects.values()))
    assert laptop.first.secret not in kept


def test_a_key_that_comes_or_goes_after_the_set_up(account: Account) -> None:
    fresh = enrol(account, "fresh")
    deposit(fresh, ObjectType.KEY)  # with which it is set up
    deposit(fresh, ObjectType.CONFIG)
    assert told(letters.KEY) == []
    credential = fresh.first.credential
    credential.refresh_from_db()
    type(credential).objects.filter(pk=credential.pk).update(
        keys_until=clock.now() + timedelta(minutes=5)
    )
    deposit(fresh, ObjectType.KEY)
    assert told(letters.KEY) == ["A key was added to “fresh”"]


def test_operators_make_credentials_too(laptop: Enrolled) -> None:
    from accounts.audit import OPERATOR

    credentials.create(laptop.vault, scope="restore", actor=OPERATOR)
    assert Notice.objects.filter(kind=letters.CREDENTIAL).count() == 2


class TestMembers:
    """Whoever sees only their own computers is told of those alone."""

    @pytest.fixture
    def mia(self, account: Account) -> Membership:
        user = person("mia-told@example.org")
        seat = Membership.objects.create(account=account, user=user, role=Membership.Role.MEMBER)
        MailPreference.objects.create(membership=seat, backups=True, reports="weekly")
        return seat

    def told_to(self, seat: Membership) -> list[str]:
        kinds = Delivery.objects.filter(membership=seat).order_by("pk")
        return list(kinds.values_list("notice__kind", flat=True))

    def test_late_backups(self, laptop: Enrolled, mia: Membership) -> None:
        deposit(laptop, ObjectType.SNAPSHOT)
        with clock.travelled(timedelta(days=5)):
            assert late_backups.tell_due() == 1
        assert self.told_to(mia) == []
        Device.objects.update(member=mia)
        with clock.travelled(timedelta(days=13)):
            assert late_backups.tell_due() == 1
        assert self.told_to(mia) == [letters.LATE]

    def test_reports(self, laptop: Enrolled, mia: Membership) -> None:
        with clock.travelled(timedelta(days=8)):
            assert reports.send_due() == 1
        said = str(Notice.objects.get(kind=letters.REPORT).values)
        assert "laptop" not in said
        assert "nothing is backed up yet" in said
