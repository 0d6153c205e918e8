"""A snapshot that is stored is a backup that ended well; agents report the others."""

from datetime import timedelta

import pytest

from backup_service import clock
from storage.models import Vault, VaultEvent
from tests.unit.storage.api.test_session import call, named
from tests.unit.storage.conftest import Caller, caller, sealed, some

pytestmark = pytest.mark.django_db
Kind = VaultEvent.Kind


def runs(vault: Vault) -> list[VaultEvent]:
    return list(VaultEvent.objects.filter(vault=vault, kind=Kind.RUN).order_by("pk"))


def test_a_run_knows_its_bytes_and_its_time(backup: Caller, vault: Vault) -> None:
    lock = sealed(b"lock")
    backup.put(lock, "locks")
    backup.put(some(5000))
    with clock.travelled(timedelta(minutes=4)):
        newer = sealed(b"newer lock")
        backup.put(newer, "locks")  # as restic renews it
        backup.delete(f"locks/{named(lock)['name']}")
        backup.put(some(3000), "index")
        with clock.travelled(timedelta(minutes=8)):
            backup.put(sealed(b"snapshot"), "snapshots")
    (run,) = runs(vault)
    assert run.bytes == 5000 + 3000 + 48
    assert run.snapshot == named(sealed(b"snapshot"))["name"]
    assert run.credential == backup.credential
    assert run.seconds is not None
    vault.refresh_from_db()
    assert run.sequence == vault.sequence
    assert run.first_at == vault.last_snapshot_at


def test_each_run_has_its_own_bytes(backup: Caller, vault: Vault) -> None:
    other = caller(vault, "backup")
    backup.put(some(2000))
    other.put(some(7000))
    backup.put(sealed(b"first"), "snapshots")
    backup.put(some(1000))
    backup.put(sealed(b"second"), "snapshots")
    other.put(sealed(b"third"), "snapshots")
    assert [run.bytes for run in runs(vault)] == [2048, 1048, 7048]


def test_a_repeat_of_a_snapshot_is_no_run(backup: Caller, vault: Vault) -> None:
    for _ in range(3):
        backup.put(sealed(b"same"), "snapshots")
    assert len(runs(vault)) == 1


def test_runs_beside_each_other_tell_no_time(backup: Caller, vault: Vault) -> None:
    backup.put(sealed(b"one lock"), "locks")
    backup.put(sealed(b"another lock"), "locks")
    backup.put(sealed(b"snapshot"), "snapshots")
    (run,) = runs(vault)
    assert run.seconds is None


def test_an_agents_run(backup: Caller, vault: Vault) -> None:
    lock = named(sealed(b"lock"))
    assert call(backup, "begin", {"lock": lock})[0] == 200
    snapshot = named(sealed(b"snapshot"))
    fields = {"snapshot": snapshot, "unread": 3, "lock": lock["name"]}
    assert call(backup, "finish", fields)[0] == 200
    (run,) = runs(vault)
    assert run.unread == 3
    assert run.seconds is not None


def test_a_run_that_failed(backup: Caller, vault: Vault) -> None:
    for _ in range(2):
        assert call(backup, "report", {"failed": "interrupted"}) == (200, {})
    event = VaultEvent.objects.get(vault=vault)
    assert (event.kind, event.code, event.count) == (Kind.FAILED, "interrupted", 2)
    assert event.text == "The backup was interrupted before its end."


@pytest.mark.parametrize("failed", ["", "other", None, 1, {"a": 1}, "\ud800", "x" * 300])
def test_a_report_says_nothing_of_its_own(backup: Caller, failed: object) -> None:
    status, _ = call(backup, "report", {"failed": failed})
    assert status == 400
    assert not VaultEvent.objects.filter(kind=Kind.FAILED).exists()


def test_how_often_is_learnt_from_the_runs(backup: Caller, vault: Vault) -> None:
    assert vault.interval is None
    for week in range(5):
        with clock.travelled(timedelta(weeks=week)):
            backup.put(some(100), "snapshots")
    vault.refresh_from_db()
    assert vault.interval is not None
    assert abs(vault.interval - timedelta(weeks=1)) < timedelta(hours=1)
    vault.expected_interval = 3600
    assert vault.interval == timedelta(hours=1)
