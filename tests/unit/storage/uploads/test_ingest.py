"""The write path: regions that fail, uploads that break off, objects that come back."""

import io
from datetime import timedelta
from pathlib import Path

import pytest

from backup_service import clock
from storage.body import HashedBody
from storage.deletion import sweep
from storage.errors import BusyError
from storage.models import (
    Attempt,
    JournalEntry,
    Lifetime,
    Region,
    Replica,
    Reservation,
    StoredObject,
    Usage,
    Vault,
)
from storage.stores.registry import store_of
from storage.uploads import ingest
from storage.vaults.access import Access
from storage.vaults.quota import FLOOR
from tests.support.storage.replicas import states
from tests.unit.storage.conftest import Caller, access_of, data_name, path_of, sealed, sha, some

pytestmark = pytest.mark.django_db


def test_one_replica_now_and_one_to_make(backup: Caller) -> None:
    content = some()
    backup.put(content)
    obj = backup.stored_object(content)
    assert states(obj) == {"a": "stored", "b": "pending"}
    assert (obj.size, obj.sha256, obj.created_by) == (1000, sha(content), backup.credential)
    lifetime = obj.lifetimes.get()
    assert (lifetime.from_sequence, lifetime.to_sequence) == (1, None)


def test_every_change_takes_the_next_number(backup: Caller, maintain: Caller) -> None:
    contents = [some() for _ in range(3)]
    for content in contents:
        backup.put(content)
    maintain.delete(f"data/{sha(contents[0])}")
    backup.put(contents[0])
    spans = Lifetime.objects.order_by("from_sequence").values_list("from_sequence", "to_sequence")
    assert list(spans) == [(1, 4), (2, None), (3, None), (5, None)]
    times = list(Lifetime.objects.order_by("from_sequence").values_list("from_at", flat=True))
    assert times == sorted(times)


def test_the_next_region_takes_over_when_one_is_gone(backup: Caller, tmp_path: Path) -> None:
    (tmp_path / "region-a").rename(tmp_path / "unmounted")
    content = some()
    assert backup.put(content).status_code == 200
    assert states(backup.stored_object(content)) == {"b": "stored", "a": "pending"}
    assert backup.fetch(f"data/{sha(content)}") == content


def test_no_region_at_all(backup: Caller, vault: Vault, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"region-{name}").rename(tmp_path / f"unmounted-{name}")
    response = backup.put(some())
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert b"No region" in response.content
    assert not Reservation.objects.exists()
    assert not StoredObject.objects.exists()
    for name in "ab":
        (tmp_path / f"unmounted-{name}").rename(tmp_path / f"region-{name}")
    assert backup.put(some()).status_code == 200


def test_a_region_without_room(backup: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage.stores.base import Capacity
    from storage.stores.filesystem.store import FilesystemStore

    full = {"a"}
    real = FilesystemStore.capacity
    monkeypatch.setattr(
        FilesystemStore,
        "capacity",
        lambda self: Capacity(1, 0) if self.alias in full else real(self),
    )
    content = some()
    assert backup.put(content).status_code == 200
    assert states(backup.stored_object(content))["b"] == "stored"
    full.add("b")
    assert backup.put(some()).status_code == 503
    full.clear()
    assert backup.put(some()).status_code == 200


def test_read_only_regions_are_left_alone(backup: Caller) -> None:
    Region.objects.filter(alias="a").update(status="read-only")
    content = some()
    backup.put(content)
    assert states(backup.stored_object(content)) == {"b": "stored"}


class Breaking(io.BytesIO):
    """A connection that ends after some bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if not piece:
            raise OSError("connection reset")
        return piece


def deposit(access: Access, content: bytes, stream: io.BytesIO, size: int) -> None:
    name = data_name(content)
    ingest.deposit(access, name, HashedBody(stream, size=size, sha256=name.expected_sha256))


@pytest.mark.parametrize("stream", [io.BytesIO, Breaking])
def test_a_broken_connection_leaves_nothing(
    backup: Caller, vault: Vault, stream: type[io.BytesIO]
) -> None:
    content = some(300_000)
    with pytest.raises(Exception, match="ended after"):
        deposit(access_of(backup), content, stream(content[:200_000]), len(content))
    assert not StoredObject.objects.exists()
    assert not Reservation.objects.exists()
    assert Usage.objects.get(account=vault.account).reserved_bytes == 0
    assert list(store_of(Region.objects.get(alias="a")).list_keys()) == []
    assert Attempt.objects.get().state == "doomed"


def test_two_uploads_that_win_in_two_regions_are_two_replicas_of_one(
    backup: Caller, vault: Vault
) -> None:
    """Both begin before either ends, in different regions."""
    content, access = some(), access_of(backup)
    name = data_name(content)
    attempts = [
        ingest.begin(access, name, region=region, size=len(content))
        for region in Region.objects.order_by("priority")
    ]
    for attempt in attempts:
        body = HashedBody(io.BytesIO(content), size=len(content), sha256=name.expected_sha256)
        store_of(attempt.region).put(attempt.key, body, body.size)
        ingest.record(access, name, attempt=attempt, body=body)
    assert states(backup.stored_object(content)) == {"a": "stored", "b": "stored"}
    usage = Usage.objects.get(account=vault.account)
    assert (usage.live_bytes, usage.reserved_bytes) == (FLOOR, 0)
    assert backup.stored_object(content).lifetimes.count() == 1


def test_a_surplus_attempt_in_the_same_region_is_doomed_and_swept(backup: Caller) -> None:
    content, access = some(), access_of(backup)
    name = data_name(content)
    region = Region.objects.get(alias="a")
    attempts = [ingest.begin(access, name, region=region, size=1000) for _ in range(2)]
    for attempt in attempts:
        body = HashedBody(io.BytesIO(content), size=1000, sha256=name.expected_sha256)
        store_of(region).put(attempt.key, body, 1000)
        ingest.record(access, name, attempt=attempt, body=body)
    assert sorted(Attempt.objects.values_list("state", flat=True)) == ["doomed", "stored"]
    assert len(list(store_of(region).list_keys())) == 2
    sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
    assert [str(key) for key, _ in store_of(region).list_keys()] == [str(attempts[0].key)]
    assert backup.fetch(f"data/{sha(content)}") == content


def test_an_upload_that_took_too_long_is_given_up(backup: Caller, vault: Vault) -> None:
    content, access = some(), access_of(backup)
    name = data_name(content)
    attempt = ingest.begin(access, name, region=Region.objects.get(alias="a"), size=1000)
    Attempt.objects.update(due_at=attempt.created_at)
    sweep.sweep()
    body = HashedBody(io.BytesIO(content), size=1000, sha256=name.expected_sha256)
    store_of(attempt.region).put(attempt.key, body, 1000)
    with pytest.raises(BusyError):
        ingest.record(access, name, attempt=attempt, body=body)
    assert not StoredObject.objects.exists()
    assert Usage.objects.get(account=vault.account).reserved_bytes == FLOOR
    assert backup.put(content).status_code == 200
    sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
    assert Usage.objects.get(account=vault.account).reserved_bytes == 0


def test_delete_and_upload_again_revives(backup: Caller, maintain: Caller, vault: Vault) -> None:
    content = some()
    backup.put(content)
    assert maintain.delete(f"data/{sha(content)}").status_code == 200
    assert backup.names("data") == []
    assert backup.get(f"data/{sha(content)}").status_code == 404
    assert path_of(backup.stored_object(content).replicas.get(region__alias="a")).exists()
    assert maintain.delete(f"data/{sha(content)}").status_code == 200
    assert backup.put(content).status_code == 200
    obj = backup.stored_object(content)
    assert (obj.state, obj.tombstoned_at, obj.tombstoned_by) == ("live", None, None)
    assert obj.lifetimes.count() == 2
    kinds = list(JournalEntry.objects.order_by("sequence").values_list("kind", "credential"))
    assert kinds == [
        ("tombstone", maintain.credential.pk),
        ("undelete", backup.credential.pk),
    ]
    usage = Usage.objects.get(account=vault.account)
    assert (usage.live_bytes, usage.tombstoned_bytes, usage.reserved_bytes) == (FLOOR, 0, 0)
    # The bytes that came once too often are gone, and nothing waits for the sweep.
    assert len(list(store_of(Region.objects.get(alias="a")).list_keys())) == 1
    assert not Attempt.objects.exclude(state="stored").exists()


def test_a_tombstone_names_its_author(backup: Caller, maintain: Caller) -> None:
    content = some()
    backup.put(content)
    epoch = Vault.objects.get(pk=backup.vault.pk).epoch
    maintain.delete(f"data/{sha(content)}")
    assert backup.stored_object(content).tombstoned_by == maintain.credential
    entry = JournalEntry.objects.get()
    assert (entry.kind, entry.name, entry.credential) == (
        "tombstone",
        sha(content),
        maintain.credential,
    )
    assert Vault.objects.get(pk=backup.vault.pk).epoch == epoch + 1


def test_a_lost_object_is_healed_by_its_repeat(backup: Caller) -> None:
    content = some()
    backup.put(content)
    obj = backup.stored_object(content)
    path_of(obj.replicas.get(region__alias="a")).unlink()
    assert backup.get(f"data/{sha(content)}").status_code == 503
    assert backup.stored_object(content).state == "lost"
    assert backup.names("data") == []
    assert backup.put(content).status_code == 200
    assert backup.stored_object(content).state == "live"
    assert backup.fetch(f"data/{sha(content)}") == content
    assert Replica.objects.filter(object=obj, state="stored").count() == 1


def test_a_snapshot_marks_the_last_backup(setup: Caller) -> None:
    assert Vault.objects.get(pk=setup.vault.pk).last_snapshot_at is None
    setup.put(sealed(b"a snapshot"), "snapshots")
    assert Vault.objects.get(pk=setup.vault.pk).last_snapshot_at is not None
