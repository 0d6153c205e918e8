"""The recovery point: up to where the loss of a region would cost nothing."""

import shutil
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import SERVICE
from storage.integrity import scrub
from storage.integrity.repair import repair
from storage.models import Region, StoredObject, Vault
from storage.object_names import StoreKey
from storage.replication.replicator import replicate_due
from storage.stores.base import Source, UnreadableError
from storage.stores.filesystem.store import FilesystemStore
from storage.vaults.recovery_point import lost_of, recovery_point
from tests.support.storage.replicas import replica_in
from tests.unit.storage.conftest import Caller, damage, sha, some

pytestmark = pytest.mark.django_db


def test_it_is_now_once_everything_is_copied(backup: Caller, vault: Vault) -> None:
    assert recovery_point(vault).is_now  # of an empty vault
    backup.put(some())
    replicate_due()
    point = recovery_point(vault)
    assert (point.is_now, point.sequence) == (True, 1)


def test_objects_are_asked_for_only_where_some_are_behind(backup: Caller, vault: Vault) -> None:
    """A vault may have a million, and a page shows this."""
    contents = [some() for _ in range(3)]
    for content in contents:
        backup.put(content)
    replicate_due()
    with CaptureQueriesContext(connection) as asked:
        assert recovery_point(vault).is_now
        assert lost_of(vault).count == 0
    assert not [one["sql"] for one in asked if StoredObject._meta.db_table in one["sql"]]
    Region.objects.filter(alias="b").update(status="draining")  # which counts there no longer
    assert recovery_point(vault).behind == 3


def test_it_stands_before_the_first_object_that_has_one_replica(
    backup: Caller, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [some() for _ in range(5)]
    for content in contents:
        backup.put(content)
    real = FilesystemStore.put

    def put(self: FilesystemStore, key: StoreKey, body: Source, size: int) -> None:
        if key.object.name == sha(contents[2]):
            raise UnreadableError("not this one")
        real(self, key, body, size)

    monkeypatch.setattr(FilesystemStore, "put", put)
    assert replicate_due() == 4
    point = recovery_point(vault)
    third = backup.stored_object(contents[2])
    assert (point.sequence, point.behind) == (third.sequence - 1, 1)
    assert point.at == third.created_at


def test_what_was_stored_up_to_it_survives_any_region(
    backup: Caller, vault: Vault, tmp_path: Path
) -> None:
    contents = [some() for _ in range(6)]
    for content in contents[:4]:
        backup.put(content)
    replicate_due()
    for content in contents[4:]:
        backup.put(content)
    point = recovery_point(vault)
    assert (point.sequence, point.behind) == (4, 2)
    shutil.rmtree(tmp_path / "region-a")
    repair(SERVICE, anew=["a"])
    for obj in StoredObject.objects.filter(sequence__lte=point.sequence):
        assert backup.fetch(f"data/{obj.name}") in contents
    assert StoredObject.objects.filter(state="lost").count() == 2


def test_damage_takes_it_back_and_repair_brings_it_forth(backup: Caller, vault: Vault) -> None:
    contents = [some() for _ in range(3)]
    for content in contents:
        backup.put(content)
    replicate_due()
    damage(replica_in(backup.stored_object(contents[1]), "b"))
    scrub.scrub_all()
    assert recovery_point(vault).sequence == 1
    replicate_due()
    assert recovery_point(vault).is_now


def test_operators_are_told(
    backup: Caller, vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.put(some())
    call_command("vault", "status", "--vault", vault.public_id, "--json")
    told = capsys.readouterr().out
    assert '"objects_behind": 1' in told
    assert '"is_now": false' in told
    assert Vault.objects.get(pk=vault.pk).sequence == 1
