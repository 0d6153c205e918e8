"""Locks are small and few: a vault's and an account's are bounded by one UPDATE each."""

import os
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from storage.models import Lock, Usage, Vault
from storage.vaults import locks
from storage.vaults.enrolment import create_vault
from tests.unit.storage.conftest import Caller, caller, sha

pytestmark = pytest.mark.django_db


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "OF_VAULT", (4, 1000))
    monkeypatch.setattr(locks, "OF_ACCOUNT", (6, 1500))


def put(who: Caller, size: int = 100) -> int:
    return who.put(os.urandom(size), "locks").status_code


def figures(vault: Vault) -> tuple[int, int, int, int]:
    vault.refresh_from_db()
    usage = Usage.objects.get(account=vault.account)
    counted = Lock.objects.filter(vault=vault)
    assert vault.locks_held == counted.count()
    assert vault.lock_bytes == sum(len(lock.body) for lock in counted)
    return vault.locks_held, vault.lock_bytes, usage.locks_held, usage.lock_bytes


def test_a_lock_has_some_hundred_bytes(backup: Caller) -> None:
    assert put(backup, 4096) == 200
    assert put(backup, 4097) == 403


def test_a_vaults_number(few: None, backup: Caller, vault: Vault) -> None:
    assert [put(backup) for _ in range(6)] == [200, 200, 200, 200, 403, 403]
    assert figures(vault) == (4, 400, 4, 400)
    response = backup.put(os.urandom(100), "locks")
    assert "too many locks: run `unlock`" in response.reason_phrase
    backup.delete(f"locks/{backup.names('locks')[0]}")
    assert put(backup) == 200


def test_a_vaults_bytes(few: None, backup: Caller, vault: Vault) -> None:
    assert [put(backup, 400) for _ in range(3)] == [200, 200, 403]
    assert put(backup, 200) == 200
    assert figures(vault) == (3, 1000, 3, 1000)


def test_an_accounts_number_and_bytes(
    few: None, backup: Caller, vault: Vault, account: Account
) -> None:
    other = create_vault(account, name="desktop", actor=SERVICE).vault
    beside = caller(other, "backup")
    assert [put(backup) for _ in range(4)] == [200] * 4
    assert [put(beside) for _ in range(4)] == [200, 200, 403, 403]
    assert figures(vault) == (4, 400, 6, 600)
    assert figures(other) == (2, 200, 6, 600)


def test_the_same_lock_again_is_fine_when_there_are_many(
    few: None, backup: Caller, vault: Vault
) -> None:
    bodies = [os.urandom(100) for _ in range(4)]
    for body in bodies * 2:
        assert backup.put(body, "locks").status_code == 200
    assert figures(vault) == (4, 400, 4, 400)


def test_day_old_locks_make_room(few: None, backup: Caller, vault: Vault) -> None:
    """Also before the sweep has come, and for the account."""
    assert [put(backup) for _ in range(4)] == [200] * 4
    with clock.travelled(timedelta(hours=25)):
        assert put(backup) == 200
        assert figures(vault) == (1, 100, 1, 100)
    with clock.travelled(timedelta(hours=50)):
        assert locks.drop_stale(clock.now()) == 1
    assert figures(vault) == (0, 0, 0, 0)


def test_a_begin_is_bounded_too(few: None, backup: Caller) -> None:
    import base64
    import json

    def begin() -> int:
        body = os.urandom(100)
        lock = {"name": sha(body), "body": base64.b64encode(body).decode()}
        where = f"/api/v1/vaults/{backup.vault.public_id}/begin"
        answer = backup.client.post(where, json.dumps({"lock": lock}), "application/json")
        return answer.status_code

    assert [begin() for _ in range(5)] == [200] * 4 + [403]


def test_the_migration_counts_what_is_there(backup: Caller, vault: Vault) -> None:
    for size in (100, 200):
        put(backup, size)
    Lock.objects.create(
        vault=vault, name="f" * 64, body=bytes(60_000), credential=backup.credential
    )
    backup.credential.index_seen = 7
    backup.credential.save(update_fields=["index_seen"])
    Vault.objects.update(locks_held=0, lock_bytes=0)
    Usage.objects.update(locks_held=0, lock_bytes=0)
    import_module("storage.migrations.0006_lock_figures").count(apps, None)
    assert figures(vault) == (2, 300, 2, 300)
    assert set(Lock.objects.values_list("since", flat=True)) == {7}


def test_vaults_of_an_account_are_bounded(
    account: Account, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.vaults import enrolment

    monkeypatch.setattr(enrolment, "MOST_VAULTS", 3)
    for name in ("one", "two"):
        create_vault(account, name=name, actor=SERVICE)
    with pytest.raises(enrolment.VaultLimitError, match="at most 3 vaults"):
        create_vault(account, name="three", actor=SERVICE)
