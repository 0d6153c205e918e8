"""What accounts and vaults hold is noted once a day, and kept for so long."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from storage.models import UsageSample, Vault, VaultSample
from storage.tasks import sample_use
from storage.vault_status import samples
from storage.vaults.enrolment import create_vault
from tests.unit.storage.conftest import Caller, person, some

pytestmark = pytest.mark.django_db


def test_a_day_has_one_sample(backup: Caller, account: Account, vault: Vault) -> None:
    backup.put(some(5000))
    sample_use()
    backup.put(some(70_000))
    sample_use()
    (used,), (held,) = UsageSample.objects.all(), VaultSample.objects.all()
    assert (used.account, used.live_bytes, used.tombstoned_bytes) == (account, 5000, 0)
    assert (held.vault, held.bytes, held.day) == (vault, 5000, clock.now().date())


def test_each_day_has_its_own(backup: Caller, account: Account, vault: Vault) -> None:
    for day in range(3):
        with clock.travelled(timedelta(days=day)):
            backup.put(some(5000))
            sample_use()
    with clock.travelled(timedelta(days=3)):
        sample_use()  # today's is left out: what is now is known better
        sizes = [row.bytes for row in samples.of_vault(vault, 30)]
        assert sizes == [5000, 2 * 5000, 3 * 5000]
        assert [row.charged(10**9) for row in samples.of_account(account, 2)] == sizes[1:]


def test_what_was_removed_counts_beyond_the_quota() -> None:
    sample = UsageSample(live_bytes=10, tombstoned_bytes=7)
    assert [sample.charged(quota) for quota in (5, 7, 100)] == [12, 10, 10]


def test_others_are_not_among_them(backup: Caller, account: Account, bob: Caller) -> None:
    bob.put(some(5000))
    sample_use()
    with clock.travelled(timedelta(days=1)):
        assert [row.live_bytes for row in samples.of_account(account, 30)] == [0]
        assert samples.of_vault(bob.vault, 30).count() == 1


def test_old_ones_are_dropped(backup: Caller) -> None:
    backup.put(some(5000))
    sample_use()
    with clock.travelled(samples.KEPT):
        sample_use()
        assert (UsageSample.objects.count(), VaultSample.objects.count()) == (2, 2)
    with clock.travelled(samples.KEPT + timedelta(days=1)):
        sample_use()
        yesterday = clock.now().date() - timedelta(days=1)
        assert UsageSample.objects.earliest("day").day == yesterday
        assert VaultSample.objects.earliest("day").day == yesterday


def test_a_turn_is_bounded_and_another_goes_on(
    backup: Caller, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "BATCH", 2)
    for name in ("two", "three", "four"):
        create_vault(account, name=name, actor=SERVICE)
    backup.put(some(5000))
    turns = 1
    while samples.sample_due(seconds=0):
        turns += 1
        assert VaultSample.objects.count() <= 2 * turns
    assert VaultSample.objects.count() == 4
    assert UsageSample.objects.count() == 1
    assert turns > 2


def test_a_turn_with_nothing_to_do_asks_little(backup: Caller) -> None:
    create_vault(person("carol@example.org"), name="laptop", actor=SERVICE)
    backup.put(some(5000))
    sample_use()
    with CaptureQueriesContext(connection) as asked:
        sample_use()
    assert len(asked) == 4
