"""Refusals as events: of every client, counted and not repeated, and never in the answer's way."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from backup_service.logs.formats import JsonFormatter
from billing.models import Plan
from storage.events import refusals as module
from storage.events import rows
from storage.events.refusals import Refusal, refusals
from storage.models import Vault, VaultEvent
from storage.vaults import credentials
from tests.unit.storage.api.test_session import call, named
from tests.unit.storage.conftest import Caller, caller, sealed, sha, some

pytestmark = pytest.mark.django_db


def seen(vault: Vault) -> list[tuple[int | None, str, int]]:
    events = VaultEvent.objects.filter(vault=vault, kind=VaultEvent.Kind.REFUSAL).order_by("pk")
    return list(events.values_list("status", "code", "count"))


def no_room() -> None:
    Plan.objects.update(quota_bytes=1)


def test_over_quota_from_stock_restic(backup: Caller, vault: Vault, account: Account) -> None:
    no_room()
    assert backup.put(some()).status_code == 507
    assert seen(vault) == [(507, "over-quota", 1)]
    event = VaultEvent.objects.get()
    assert event.text.startswith("Over quota")
    assert event.credential == backup.credential
    vault.refresh_from_db()
    assert vault.refused_status == 507
    assert vault.refused_text == event.text


def test_what_an_agent_is_refused_within_a_batch(
    backup: Caller, vault: Vault, account: Account
) -> None:
    no_room()
    status, _ = call(
        backup, "uploads", {"objects": [{"type": "data", "name": sha(some()), "size": 1}] * 2}
    )
    assert status == 200
    assert seen(vault) in ([], [(507, "over-quota", 1)])  # directories take nothing directly


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda who: who.restore.put(some()), (403, "forbidden", 1)),
        (lambda who: who.backup.delete(f"data/{sha(some())}"), (403, "forbidden", 1)),
        (lambda who: who.backup.post(f"data/{sha(some())}", some()), (400, "bad-request", 1)),
        (lambda who: who.backup.post("data/short", some()), (403, "bad-request", 1)),
        (lambda who: who.backup.put(some(5000), "locks"), (403, "too-large", 1)),
        (lambda who: call(who.backup, "report", {"failed": "x"}), (400, "bad-request", 1)),
        (
            lambda who: call(who.restore, "finish", {"snapshot": named(sealed(b"s"))}),
            (403, "forbidden", 1),
        ),
    ],
)
def test_each_kind(
    cast: "Cast", vault: Vault, act: Callable[["Cast"], object], expected: tuple[int, str, int]
) -> None:
    act(cast)
    assert seen(vault) == [expected]


class Cast:
    def __init__(self, backup: Caller, restore: Caller) -> None:
        self.backup, self.restore = backup, restore


@pytest.fixture
def cast(backup: Caller, restore: Caller) -> Cast:
    return Cast(backup, restore)


def test_revoked_and_wrong_secrets(backup: Caller, vault: Vault, bob: Caller) -> None:
    Caller(backup.credential, "guess", vault).get("config")
    credentials.revoke(backup.credential, actor=SERVICE)
    backup.get("config")
    assert seen(vault) == [(401, "unauthenticated", 1)]  # equal to each other, a moment apart
    refusals.clear()
    backup.get("config")
    assert seen(vault) == [(401, "unauthenticated", 2)]


def test_nothing_is_written_for_strangers(vault: Vault, bob: Caller) -> None:
    bob.client.get(f"/restic/{vault.public_id}/config")
    bob.client.get("/restic/nowhere/config", headers={"authorization": "Basic nonsense"})
    assert not VaultEvent.objects.exists()


def test_what_is_not_there_is_no_refusal(backup: Caller, vault: Vault) -> None:
    assert backup.get("config").status_code == 404
    assert backup.delete(f"locks/{sha(some())}").status_code == 404
    assert seen(vault) == []


def test_repeats_are_counted_and_hardly_ever_written(
    backup: Caller, vault: Vault, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_room()
    content = some()
    for _ in range(11):
        assert backup.put(content).status_code == 507
    assert seen(vault) == [(507, "over-quota", 1)]
    monkeypatch.setattr(module, "SPACING", 0.0)
    backup.get("config")  # whatever is answered next
    assert seen(vault) == [(507, "over-quota", 11)]


def test_another_hour_is_another_row(backup: Caller, vault: Vault, account: Account) -> None:
    no_room()
    backup.put(some())
    refusals.clear()
    with clock.travelled(timedelta(hours=1)):
        backup.put(some())
    assert [count for _, _, count in seen(vault)] == [1, 1]


def test_two_processes_at_once(
    backup: Caller, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = Refusal(vault.pk, backup.credential, 403, "forbidden", "No.")
    module.write(refusal, 1)
    again = rows.count_again
    tried: list[int] = []

    def too_early(vault_id: int, key: str, *rest: object) -> bool:
        tried.append(vault_id)
        return len(tried) > 1 and again(vault_id, key, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rows, "count_again", too_early)
    module.write(refusal, 2)
    assert seen(vault) == [(403, "forbidden", 3)]


def test_the_oldest_go(backup: Caller, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rows.MOST, rows.Kind.REFUSAL, 3)
    for status in range(400, 410):
        refusals.note(Refusal(vault.pk, backup.credential, status, "c", "t"))
    assert [status for status, _, _ in seen(vault)] == [407, 408, 409]


def test_an_event_that_cannot_be_written_changes_no_answer(
    backup: Caller,
    vault: Vault,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*args: object) -> None:
        raise ValueError("the disk is full")

    no_room()
    monkeypatch.setattr(module, "write", fail)
    response = backup.put(some())
    assert response.status_code == 507
    assert "could not be noted" in caplog.text


def test_the_log_has_one_line_without_secrets(
    backup: Caller, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    no_room()
    with caplog.at_level(logging.WARNING, logger=module.__name__):
        backup.put(some())
    (record,) = [one for one in caplog.records if one.name == module.__name__]
    line = JsonFormatter().format(record)
    said = json.loads(line)
    assert said["message"] == "refused"
    assert (said["status"], said["cause"], said["count"]) == (507, "over-quota", 1)
    assert said["account"] == account.public_id
    assert said["vault"] == backup.vault.public_id
    assert said["credential"] == backup.credential.prefix
    assert backup.secret not in line


def test_a_hostile_text_breaks_nothing(backup: Caller, vault: Vault) -> None:
    text = "\x00two\nlines\ud800" + "x" * 1000
    refusals.note(Refusal(vault.pk, backup.credential, 400, "bad-request", text))
    assert seen(vault) == [(400, "bad-request", 1)]


def test_only_what_stops_backups_counts_against_the_vault(
    backup: Caller, restore: Caller, vault: Vault
) -> None:
    restore.put(some())
    backup.delete(f"data/{sha(some())}")
    backup.post(f"data/{sha(some())}", some())  # a line that changed a byte; sent again it is right
    vault.refresh_from_db()
    assert vault.refused_at is None
    credentials.revoke(backup.credential, actor=SERVICE)
    backup.get("config")  # an old one that made no backup; another has taken its place
    vault.refresh_from_db()
    assert vault.refused_at is None


def test_the_credential_of_the_last_backup_is_missed(setup: Caller, vault: Vault) -> None:
    setup.put(sealed(b"snapshot"), "snapshots")
    credentials.revoke(setup.credential, actor=SERVICE)
    setup.get("config")
    vault.refresh_from_db()
    assert vault.refused_status == 401


def test_a_backup_ends_it(vault: Vault, backup: Caller, account: Account) -> None:
    Vault.objects.filter(pk=vault.pk).update(
        refused_at=clock.now(), refused_status=507, refused_text="Over quota."
    )
    backup.put(sealed(b"snapshot"), "snapshots")
    vault.refresh_from_db()
    assert (vault.refused_at, vault.refused_status, vault.refused_text) == (None, None, "")


def test_a_repeat_costs_no_write(backup: Caller, restore: Caller) -> None:
    restore.put(some())
    with CaptureQueriesContext(
        connection,
    ) as captured:
        restore.put(some())
    assert not [one for one in captured if "vaultevent" in one["sql"]]


def test_another_tenants_vault_is_not_touched(vault: Vault, bob: Caller) -> None:
    url = f"/restic/{vault.public_id}/data/{sha(some())}"
    bob.client.post(url, some(), content_type="application/octet-stream")
    assert not VaultEvent.objects.filter(vault=vault).exists()


def test_two_credentials_are_two_rows(vault: Vault, backup: Caller) -> None:
    for who in (caller(vault, "restore"), caller(vault, "restore")):
        who.put(some())
    assert seen(vault) == [(403, "forbidden", 1)] * 2
