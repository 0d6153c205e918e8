"""Which vaults are being backed up into now, from locks and from what came."""

from datetime import timedelta

import pytest

from backup_service import clock
from storage.models import Attempt, Region, Vault
from storage.vault_status.running import Run, runs_in
from tests.unit.storage.api.test_session import named
from tests.unit.storage.conftest import Caller, caller, sealed, some

pytestmark = pytest.mark.django_db


def runs() -> list[Run]:
    return runs_in(Vault.objects.all())


def test_a_run_is_seen_from_its_first_bytes_to_its_snapshot(backup: Caller, vault: Vault) -> None:
    assert runs() == []
    lock = sealed(b"lock")
    backup.put(lock, "locks")
    assert runs() == []  # it may be a restore
    backup.put(some(5000))
    backup.put(some(3000), "index")
    (run,) = runs()
    assert (run.vault_id, run.received, run.may_be_prune) == (vault.public_id, 8000, False)
    backup.put(sealed(b"snapshot"), "snapshots")
    assert runs() == []
    backup.delete(f"locks/{named(lock)['name']}")
    assert runs() == []


def test_a_killed_run_ends_by_itself(backup: Caller) -> None:
    backup.put(sealed(b"lock"), "locks")
    backup.put(some(5000))
    with clock.travelled(timedelta(minutes=9)):
        assert len(runs()) == 1
    with clock.travelled(timedelta(minutes=11)):
        assert runs() == []


def test_a_restore_after_a_killed_run_is_no_backup(backup: Caller, vault: Vault) -> None:
    backup.put(some(5000))
    with clock.travelled(timedelta(hours=1)):
        backup.put(sealed(b"lock"), "locks")
        assert runs() == []
        restorer = caller(vault, "restore")
        restorer.put(sealed(b"another lock"), "locks")
        assert runs() == []


def test_bytes_in_flight_are_a_sign(backup: Caller, vault: Vault, regions: list[Region]) -> None:
    backup.put(sealed(b"lock"), "locks")
    Attempt.objects.create(
        vault=vault,
        type="data",
        name="0" * 64,
        region=regions[0],
        credential=backup.credential,
        due_at=clock.now() + timedelta(hours=1),
    )
    assert [run.received for run in runs()] == [0]
    with clock.travelled(timedelta(minutes=9)):
        Attempt.objects.update(due_at=clock.now() - timedelta(seconds=1))
        assert runs() == []


def test_whoever_may_remove_may_be_pruning(vault: Vault) -> None:
    maintainer = caller(vault, "maintain")
    maintainer.put(sealed(b"lock"), "locks")
    maintainer.put(some(5000))
    assert [run.may_be_prune for run in runs()] == [True]


def test_others_vaults_are_not_looked_at(backup: Caller, vault: Vault) -> None:
    backup.put(sealed(b"lock"), "locks")
    backup.put(some(5000))
    assert runs_in(Vault.objects.exclude(pk=vault.pk)) == []
