"""Refused and failed backups are told of at once, then daily, until one succeeds."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Account, Delivery, Device, Notice
from accounts.notifications.registry import kind_of
from backup_service import clock
from billing.models import Plan
from storage.errors import RefusedError
from storage.events import failures, runs
from storage.events import refusals as module
from storage.events.refusals import Refusal, refusals
from storage.models import Credential, FailureNotice, Vault, VaultEvent
from tests.unit.storage.api.test_session import call
from tests.unit.storage.conftest import Caller, sealed, some

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def told(kind: str = failures.REFUSED) -> list[str]:
    notices = Notice.objects.filter(kind=kind).order_by("pk")
    letters = [kind_of(notice.kind).write(notice.values) for notice in notices]
    return [" ".join(f"{one.subject}\n{one.text(footer='')}".split()) for one in letters]


def put_after(caller: Caller, span: timedelta, content: bytes | None = None) -> int:
    """Send something later, to a process that has just started; return the status."""
    refusals.clear()
    with clock.travelled(span):
        if content is not None:
            return caller.put(content, "snapshots").status_code
        return caller.put(some()).status_code


@pytest.mark.parametrize(
    ("told_at", "last_backup", "expected"),
    [
        (None, None, True),
        (NOON - HOUR, None, False),
        (NOON - DAY, None, True),
        (NOON - 2 * HOUR, NOON - 3 * HOUR, False),
        (NOON - 2 * HOUR, NOON - HOUR, True),
        (NOON - HOUR / 2, NOON - HOUR / 4, False),  # another computer's backup came between
    ],
)
def test_when(told_at: datetime | None, last_backup: datetime | None, expected: bool) -> None:
    assert failures.is_due(told_at=told_at, last_backup=last_backup, now=NOON) is expected


def test_a_full_plan_is_told_of_at_once_with_what_to_do(
    backup: Caller, vault: Vault, account: Account
) -> None:
    Plan.objects.update(quota_bytes=1)
    assert backup.put(some()).status_code == 507
    (said,) = told()
    assert said.startswith("A backup of “laptop” was refused Over quota: ")
    assert "Choose a larger plan" in said
    assert "/billing/" in said
    mail = Delivery.objects.get(notice__kind=failures.REFUSED)
    assert mail.address == "alice@example.org"


def test_once_a_day_until_a_backup_succeeds(backup: Caller, vault: Vault, account: Account) -> None:
    quota = Plan.objects.values_list("quota_bytes", flat=True)[1]
    Plan.objects.update(quota_bytes=1)
    for hours in (0, 1, 5, 23):
        assert put_after(backup, hours * HOUR) == 507
    assert len(told()) == 1
    put_after(backup, DAY)
    assert len(told()) == 2
    Plan.objects.update(quota_bytes=quota)
    assert put_after(backup, DAY + HOUR, sealed(b"snapshot")) == 200
    Plan.objects.update(quota_bytes=1)
    put_after(backup, DAY + 2 * HOUR)
    assert len(told()) == 3


def test_what_a_program_reports(backup: Caller, vault: Vault) -> None:
    call(backup, "report", {"failed": "interrupted"})
    assert told(failures.FAILED) == []
    call(backup, "report", {"failed": "passphrase"})
    call(backup, "report", {"failed": "local"})
    (said,) = told(failures.FAILED)
    assert "A backup of “laptop” failed" in said
    assert runs.FAILURES["passphrase"] in said


def test_what_stops_no_backup_is_no_news(backup: Caller, restore: Caller) -> None:
    restore.put(some())
    backup.delete("data/" + "0" * 64)
    assert told() == []


def test_a_second_set_up_is_no_refused_backup(setup: Caller, backup: Caller, vault: Vault) -> None:
    """No backup writes a key or a config."""
    assert setup.post("config", sealed(b"config")).status_code == 200
    assert setup.post("config", sealed(b"another")).status_code == 403
    assert not VaultEvent.objects.exists()
    assert backup.client.post(backup.url("") + "?create=true").status_code == 403
    assert backup.put(sealed(b"a key"), "keys").status_code == 403
    assert VaultEvent.objects.get().status == 403  # whoever tries to add a key is on record
    assert told() == []
    assert Vault.objects.get().refused_at is None
    vault.state = Vault.State.READ_ONLY
    vault.save(update_fields=["state"])
    backup.put(some())
    assert len(told()) == 1


@pytest.mark.parametrize("state", [Account.State.CLOSED, Account.State.FROZEN])
def test_a_closed_account_is_no_matter_of_its_vaults(
    backup: Caller, vault: Vault, account: Account, state: str
) -> None:
    """It is said of the account, and nothing of it is left when that is opened again."""
    Account.objects.filter(pk=account.pk).update(state=state)
    assert backup.put(some()).status_code == 403
    is_noted = state == Account.State.FROZEN
    assert (Vault.objects.get(pk=vault.pk).refused_at is not None) is is_noted
    assert len(told()) == is_noted


def test_nobody_is_told_of_a_computer_that_was_retired(backup: Caller, vault: Vault) -> None:
    device = Device.objects.create(account=vault.account, name="old", retired_at=clock.now())
    Vault.objects.filter(pk=vault.pk).update(device=device)
    backup.put(some(), "snapshots")
    Credential.objects.update(revoked_at=clock.now())
    backup.put(some())
    assert told() == []


def test_another_computer_that_goes_on_is_missed(backup: Caller, vault: Vault) -> None:
    device = Device.objects.create(account=vault.account, name="old", retired_at=clock.now())
    Vault.objects.filter(pk=vault.pk).update(device=device)
    Plan.objects.update(quota_bytes=1)
    backup.put(some())
    assert len(told()) == 1


def test_two_processes_at_once_tell_once(
    backup: Caller, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has read before the first one wrote, so its UPDATE finds nothing."""
    told_at = clock.now() - 2 * DAY
    FailureNotice.objects.create(vault=vault, told_at=told_at)
    refusal = Refusal(vault.pk, backup.credential, 507, "over-quota", "Full.", stops_backups=True)

    def meanwhile(**about: object) -> bool:
        FailureNotice.objects.update(told_at=clock.now())
        return True

    monkeypatch.setattr(failures, "is_due", meanwhile)
    module.write(refusal, 1)
    assert told() == []


def test_every_reason_has_words(vault: Vault) -> None:
    codes = {kind.code for kind in _all(RefusedError)} | set(runs.FAILURES)
    for code in codes:
        values = {"name": "laptop", "text": "Why.", "code": code, "at": "now", "vault": "v"}
        for kind in (failures.REFUSED, failures.FAILED):
            letter = kind_of(kind).write(values)
            assert all(letter.lines)
            assert letter.link is not None
    assert set(failures.ADVICE) <= codes


def _all(kind: type[RefusedError]) -> list[type[RefusedError]]:
    return [kind, *(one for sub in kind.__subclasses__() for one in _all(sub))]
