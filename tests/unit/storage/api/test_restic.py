"""restic's REST protocol as clients see it: every verb, and every way to be refused."""

import base64
import json
from pathlib import Path

import pytest
from pytest_django import Settings

from storage.models import Lock, StoredObject, Usage, Vault
from storage.vaults.quota import FLOOR
from tests.unit.storage.conftest import Caller, caller, sealed, sha, some

V2 = "application/vnd.x.restic.rest.v2"
pytestmark = pytest.mark.django_db


def test_store_list_and_read_back(backup: Caller) -> None:
    content = some(5000)
    assert backup.put(content).status_code == 200
    assert backup.names("data") == [sha(content)]
    assert backup.fetch(f"data/{sha(content)}") == content
    head = backup.client.head(backup.url(f"data/{sha(content)}"))
    assert (head.status_code, head.headers["Content-Length"]) == (200, "5000")


def test_version_2_lists_sizes(backup: Caller) -> None:
    content = some(123)
    backup.put(content)
    response = backup.get("data/", headers={"accept": V2})
    assert response.headers["Content-Type"] == V2
    assert json.loads(response.content) == [{"name": sha(content), "size": 123}]


def test_version_1_lists_names(backup: Caller) -> None:
    assert backup.get("snapshots/").headers["Content-Type"] == "application/json"
    assert backup.names("snapshots") == []


def test_empty_object(backup: Caller) -> None:
    assert backup.put(b"").status_code == 200
    assert backup.fetch(f"data/{sha(b'')}") == b""


@pytest.mark.parametrize(
    ("header", "expected"),
    [("bytes=0-9", (0, 10)), ("bytes=10-", (10, 90)), ("bytes=95-500", (95, 5))],
)
def test_ranges(backup: Caller, header: str, expected: tuple[int, int]) -> None:
    content = some(100)
    backup.put(content)
    response = backup.get(f"data/{sha(content)}", headers={"range": header})
    start, length = expected
    assert response.status_code == 206
    assert response.getvalue() == content[start : start + length]
    assert response.headers["Content-Range"] == f"bytes {start}-{start + length - 1}/100"


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0"])
def test_ranges_that_cannot_be(backup: Caller, header: str) -> None:
    content = some(100)
    backup.put(content)
    response = backup.get(f"data/{sha(content)}", headers={"range": header})
    assert response.status_code == 416


def test_config_during_setup(setup: Caller) -> None:
    assert setup.client.head(setup.url("config")).status_code == 404
    assert setup.post("?create=true").status_code == 200
    assert setup.post("config", sealed(b"sealed")).status_code == 200
    assert setup.fetch("config") == sealed(b"sealed")
    assert StoredObject.objects.get(type="config").sha256 == sha(sealed(b"sealed"))


def test_config_is_written_once(setup: Caller) -> None:
    setup.post("config", sealed(b"sealed"))
    assert setup.post("config", sealed(b"sealed")).status_code == 200
    response = setup.post("config", sealed(b"other"))
    assert response.status_code == 403
    assert setup.fetch("config") == sealed(b"sealed")


def test_keys_end_with_setup(setup: Caller) -> None:
    assert setup.put(sealed(b"key 1"), "keys").status_code == 200
    setup.post("config", sealed(b"sealed"))
    assert setup.put(sealed(b"key 2"), "keys").status_code == 200
    assert setup.put(sealed(b"first snapshot"), "snapshots").status_code == 200
    response = setup.put(sealed(b"key 3"), "keys")
    assert response.status_code == 403
    assert b"can no longer be written" in response.content
    assert setup.post("config", sealed(b"other")).status_code == 403


def test_setup_ends_after_an_hour(setup: Caller, settings: Settings, tmp_path: Path) -> None:
    setup.post("config", sealed(b"sealed"))
    settings.CLOCK_FILE = tmp_path / "clock"
    settings.CLOCK_FILE.write_text("3601")
    assert setup.put(sealed(b"a key"), "keys").status_code == 403


def test_create_discards_left_over_keys(setup: Caller) -> None:
    setup.put(sealed(b"half a set-up"), "keys")
    assert setup.post("?create=true").status_code == 200
    assert setup.names("keys") == []
    setup.post("config", sealed(b"sealed"))
    setup.put(sealed(b"key"), "keys")
    assert setup.post("?create=true").status_code == 200
    assert setup.names("keys") == [sha(sealed(b"key"))]


def test_ten_keys_at_most(setup: Caller) -> None:
    for n in range(10):
        assert setup.put(sealed(b"key %d" % n), "keys").status_code == 200
    assert setup.put(sealed(b"key 11"), "keys").status_code == 403
    assert setup.put(sealed(b"key 3"), "keys").status_code == 200


def test_the_key_window_an_owner_opens(backup: Caller, setup: Caller) -> None:
    from datetime import timedelta

    from backup_service import clock
    from storage.models import Credential

    Credential.objects.filter(pk=backup.credential.pk).update(
        keys_until=clock.now() + timedelta(minutes=10)
    )
    past_snapshot = setup.put(sealed(b"first snapshot"), "snapshots")
    assert past_snapshot.status_code == 200
    assert backup.put(sealed(b"new key"), "keys").status_code == 200
    assert backup.delete(f"keys/{sha(sealed(b'new key'))}").status_code == 200
    assert backup.post("config", sealed(b"never")).status_code == 403


@pytest.mark.parametrize("kind", ["data", "index", "snapshots"])
def test_a_backup_credential_removes_nothing(backup: Caller, kind: str) -> None:
    content = some()
    backup.put(content, kind)
    response = backup.delete(f"{kind}/{sha(content)}")
    assert response.status_code == 403
    assert backup.names(kind) == [sha(content)]


def test_a_restore_credential_only_reads(backup: Caller, restore: Caller) -> None:
    content = some()
    backup.put(content)
    assert restore.fetch(f"data/{sha(content)}") == content
    assert restore.put(some()).status_code == 403
    assert restore.delete(f"data/{sha(content)}").status_code == 403


@pytest.mark.parametrize("scope", ["restore", "backup", "maintain"])
def test_everybody_may_lock(vault: Vault, scope: str) -> None:
    who = caller(vault, scope)
    assert who.put(sealed(b"a lock"), "locks").status_code == 200
    assert who.put(sealed(b"a lock"), "locks").status_code == 200
    assert who.names("locks") == [sha(sealed(b"a lock"))]
    assert who.fetch(f"locks/{sha(sealed(b'a lock'))}") == sealed(b"a lock")
    assert who.delete(f"locks/{sha(sealed(b'a lock'))}").status_code == 200
    assert who.delete(f"locks/{sha(sealed(b'a lock'))}").status_code == 404
    assert not StoredObject.objects.exists()
    assert not Lock.objects.exists()


def test_locks_live_a_day(backup: Caller, settings: Settings, tmp_path: Path) -> None:
    from backup_service import clock
    from storage.vaults import locks

    backup.put(sealed(b"a lock"), "locks")
    settings.CLOCK_FILE = tmp_path / "clock"
    settings.CLOCK_FILE.write_text(str(25 * 3600))
    assert backup.names("locks") == []
    assert locks.drop_stale(clock.now()) == 1


def test_locks_are_taken_in_every_state(backup: Caller, vault: Vault) -> None:
    from accounts.models import Account

    Account.objects.filter(pk=vault.account_id).update(state="frozen")
    assert backup.put(some()).status_code == 403
    assert backup.put(sealed(b"a lock"), "locks").status_code == 200


def test_a_frozen_account_still_restores(backup: Caller, vault: Vault) -> None:
    from accounts.models import Account

    content = some()
    backup.put(content)
    Account.objects.filter(pk=vault.account_id).update(state="frozen")
    assert backup.fetch(f"data/{sha(content)}") == content
    refused = backup.put(some())
    assert refused.status_code == 403
    assert b"restores still work" in refused.content


# --- who


def test_without_a_credential(backup: Caller) -> None:
    response = type(backup.client)().get(backup.url("data/"))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer abc",
        "Basic !!!",
        "Basic " + base64.b64encode(b"nobody:nothing").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Basic " + base64.b64encode(b"nul\x00:x").decode(),
        "",
    ],
)
def test_with_a_wrong_credential(backup: Caller, header: str) -> None:
    response = type(backup.client)().get(backup.url("data/"), headers={"authorization": header})
    assert response.status_code == 401


def test_with_a_revoked_credential(backup: Caller) -> None:
    from accounts.audit import SERVICE
    from storage.vaults import credentials

    credentials.revoke(backup.credential, actor=SERVICE)
    assert backup.get("data/").status_code == 401
    assert backup.put(some()).status_code == 401


def test_another_accounts_vault_is_unknown(backup: Caller, bob: Caller) -> None:
    content = some()
    backup.put(content)
    for path in ["config", "data/", f"data/{sha(content)}"]:
        assert bob.client.get(backup.url(path)).status_code == 404
    assert bob.client.post(backup.url(f"data/{sha(b'x')}"), b"x", "x/y").status_code == 404
    assert bob.client.delete(backup.url(f"data/{sha(content)}")).status_code == 404
    assert bob.client.get("/restic/nosuchvaultatallhere/data/").status_code == 404


def test_secrets_are_kept_as_hashes(backup: Caller) -> None:
    assert backup.credential.secret_sha256 == sha(backup.secret.encode())
    assert backup.secret not in repr(backup.credential.__dict__)


# --- names


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nonsense/", 404),
        ("config/", 404),
        (f"nonsense/{'a' * 64}", 404),
        ("data/short", 403),
        (f"data/{'A' * 64}", 403),
        (f"data/{'g' * 64}", 403),
        (f"data/{'a' * 63}", 403),
        (f"data/{'a' * 65}", 403),
        (f"data/{'a' * 64}%0a", 403),
        ("data/..", 403),
        ("data/%2e%2e", 403),
        (f"data/..%2fkeys%2f{'a' * 64}", 404),
        (f"data/aa/{'a' * 64}", 404),
        (f"data//{'a' * 64}", 404),
        (f"../other/data/{'a' * 64}", 404),
    ],
)
def test_names_that_are_not_names(backup: Caller, path: str, status: int) -> None:
    assert backup.get(path).status_code == status
    assert backup.post(path, b"x").status_code in {status, 405}
    assert not StoredObject.objects.exists()


def test_other_methods(backup: Caller) -> None:
    assert backup.client.put(backup.url(f"data/{'a' * 64}"), b"x").status_code == 405
    assert backup.client.post(backup.url("data/")).status_code == 405
    assert backup.client.delete(backup.url("")).status_code == 403


# --- bodies


def test_wrong_bytes_are_refused_and_nothing_is_kept(backup: Caller, vault: Vault) -> None:
    response = backup.post(f"data/{'a' * 64}", some())
    assert response.status_code == 400
    assert b"hash" in response.content
    assert backup.names("data") == []
    usage = Usage.objects.get(account=vault.account)
    assert (usage.live_bytes, usage.reserved_bytes) == (0, 0)


def test_an_identical_repeat_is_fine_and_charged_once(backup: Caller, vault: Vault) -> None:
    content = some(1000)
    assert backup.put(content).status_code == 200
    assert backup.put(content).status_code == 200
    assert Usage.objects.get(account=vault.account).live_bytes == FLOOR


def test_other_bytes_under_an_existing_name(backup: Caller) -> None:
    content = some(1000)
    backup.put(content)
    assert backup.post(f"data/{sha(content)}", some(1000)).status_code == 400
    assert backup.fetch(f"data/{sha(content)}") == content


def test_too_large_a_length(backup: Caller) -> None:
    assert backup.put(some(70_000), "locks").status_code == 403


@pytest.mark.parametrize("length", ["", "-5", "many"])
def test_an_upload_announces_its_length(backup: Caller, length: str) -> None:
    response = backup.post(f"data/{'a' * 64}", b"x", CONTENT_LENGTH=length)
    assert response.status_code == 411
