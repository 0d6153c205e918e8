"""A region is taken offline and back, removed, or written off when it is destroyed."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.audit import SERVICE
from accounts.models import AuditEvent
from backup_service import clock
from storage import tasks
from storage.models import Attempt, StoredObject
from storage.object_names import StoreKey
from storage.regions import lifecycle
from storage.regions.lifecycle import RegionActionError
from storage.regions.status import replica_counts
from storage.stores.base import RegionUnavailableError, Source
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.registry import prepare_new
from tests.support.storage.regions import burn, configure, proved, region, sweep, work
from tests.support.storage.replicas import replica_in
from tests.support.storage.three_regions import (
    contents,
    everything_is_there,
    figures,
    regions,
    where,
)
from tests.unit.storage.conftest import Caller, damage, some

__all__ = ["contents", "regions"]
pytestmark = pytest.mark.django_db


# --- read-only, offline, online


def test_a_read_only_region_keeps_its_replicas_and_takes_none(
    backup: Caller, contents: list[bytes]
) -> None:
    lifecycle.read_only(region("b"), SERVICE)
    content = some()
    backup.put(content)
    work()
    assert proved(backup.stored_object(content)) == {"a", "c"}
    assert where(backup, contents) == {"ab"}


def test_an_offline_regions_replicas_are_made_elsewhere_and_count_again_later(
    backup: Caller, contents: list[bytes]
) -> None:
    lifecycle.offline(region("b"), SERVICE)
    assert replica_counts().under_replicated == 12
    work()
    assert where(backup, contents) == {"ac"}
    everything_is_there(backup, contents)
    with clock.travelled(timedelta(hours=1)):
        assert lifecycle.online(region("b"), SERVICE)
        assert where(backup, contents) == {"ac"}  # not before they have been read back
        work()
        assert where(backup, contents) == {"abc"}


def test_taking_a_region_offline_tells_what_cannot_be_read_meanwhile(
    backup: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    responses = [backup.put(some(1000)) for _ in range(3)]
    assert [response.status_code for response in responses] == [200] * 3
    call_command("region", "offline", "a", "--json")
    told = capsys.readouterr()
    assert json.loads(told.out)["without_other_copy"] == 3
    assert "3 objects have no other replica" in told.err
    call_command("region", "online", "a", "--json")
    work()
    capsys.readouterr()
    call_command("region", "offline", "a", "--json")
    told = capsys.readouterr()
    assert (json.loads(told.out)["without_other_copy"], told.err) == (0, "")


def test_a_replica_that_decayed_while_its_region_was_offline_is_found(
    backup: Caller, contents: list[bytes]
) -> None:
    lifecycle.offline(region("b"), SERVICE)
    damage(replica_in(backup.stored_object(contents[0]), "b"))
    with clock.travelled(timedelta(hours=1)):
        lifecycle.online(region("b"), SERVICE)
        work()
        assert where(backup, contents) == {"ab"}
        assert "b" in proved(backup.stored_object(contents[0]))
    everything_is_there(backup, contents)


def test_a_region_whose_store_is_away_does_not_come_online(
    backup: Caller, contents: list[bytes], tmp_path: Path
) -> None:
    lifecycle.offline(region("b"), SERVICE)
    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    with pytest.raises(RegionUnavailableError, match="mounted"):
        lifecycle.online(region("b"), SERVICE)
    assert region("b").status == "offline"


def test_acts_that_make_no_sense_are_refused(backup: Caller, contents: list[bytes]) -> None:
    lifecycle.offline(region("b"), SERVICE)
    with pytest.raises(RegionActionError, match="bring it online first"):
        lifecycle.drain(region("b"), SERVICE)
    with pytest.raises(RegionActionError, match="There is no region x; there are: a, b, c"):
        region("x")
    with pytest.raises(RegionActionError, match="active already"):
        lifecycle.add("a", SERVICE)
    with pytest.raises(RegionActionError, match="NIGHTSAFE_REGIONS"):
        lifecycle.add("x", SERVICE)


# --- removed, destroyed


def test_an_empty_region_is_removed_and_may_begin_anew(
    backup: Caller, contents: list[bytes], tmp_path: Path
) -> None:
    with pytest.raises(RegionActionError, match="Drain it first"):
        lifecycle.remove(region("b"), SERVICE)
    lifecycle.drain(region("b"), SERVICE)
    with pytest.raises(RegionActionError, match="not empty: 12 replicas"):
        lifecycle.remove(region("b"), SERVICE)
    work()
    sweep()
    tasks.keep_marks()
    lifecycle.remove(region("b"), SERVICE)
    assert not (tmp_path / "region-b" / ".catalogue").exists()
    assert (tmp_path / "region-a" / ".catalogue" / "mark").exists()
    assert (region("b").status, region("b").instance) == ("removed", "")
    assert "take it out of NIGHTSAFE_REGIONS" in figures("b").problem
    assert prepare_new(SERVICE) == []
    with pytest.raises(RegionUnavailableError, match="not empty"):
        lifecycle.add("b", SERVICE)  # the directory still has its old marker and folders
    burn(tmp_path, "b")
    assert lifecycle.add("b", SERVICE).status == "active"


def test_a_destroyed_region_is_written_off_and_filled_elsewhere(
    backup: Caller, contents: list[bytes], tmp_path: Path
) -> None:
    burn(tmp_path, "b")
    lifecycle.write_off_region(region("b"), SERVICE)
    work()
    assert region("b").status == "removed"
    assert where(backup, contents) == {"ac"}
    assert not Attempt.objects.filter(region__alias="b").exists()
    everything_is_there(backup, contents)
    assert replica_counts().fewer_than_two_verified == 0


def test_what_had_its_only_replica_there_is_lost_and_said_to_be(
    backup: Caller, contents: list[bytes], tmp_path: Path
) -> None:
    alone = some()
    backup.put(alone)
    backup.stored_object(alone).replicas.exclude(region__alias="a").delete()
    assert lifecycle.sole_replicas(region("a")) == 1
    burn(tmp_path, "a")
    lifecycle.write_off_region(region("a"), SERVICE)
    work()
    obj = backup.stored_object(alone)
    assert backup.state_of(obj) == "lost"
    assert AuditEvent.objects.filter(verb="object.lost", account=obj.vault.account).count() == 1
    assert replica_counts().lost == 1
    everything_is_there(backup, contents)
    assert where(backup, contents) == {"bc"}
    assert backup.put(alone).status_code == 200
    work()
    assert proved(obj) == {"b", "c"}


def test_an_upload_into_a_region_that_burns_meanwhile_is_refused(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FilesystemStore.put

    def slowly(store: FilesystemStore, key: StoreKey, body: Source, size: int) -> None:
        real(store, key, body, size)
        if store.alias == "a":
            lifecycle.write_off_region(region("a"), SERVICE)
            work()

    content = some()
    with monkeypatch.context() as patch:
        patch.setattr(FilesystemStore, "put", slowly)
        assert backup.put(content).status_code == 503
    assert not StoredObject.objects.exists()
    assert backup.put(content).status_code == 200
    work()
    assert proved(backup.stored_object(content)) == {"b", "c"}


# --- at the command line


def command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    call_command("region", *arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_the_commands(
    settings: Settings,
    tmp_path: Path,
    backup: Caller,
    contents: list[bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command("drain", "b", capsys=capsys)["changed"] is True
    work()
    shown = command("status", "b", capsys=capsys)
    assert (shown["status"], shown["empty"]) == ("draining", False)
    assert shown["drain"]["objects_left"] == 0
    assert shown["drain"]["bytes_per_second"] > 0
    with pytest.raises(CommandError, match="add --yes"):
        command("remove", "b", capsys=capsys)
    with pytest.raises(CommandError, match="not empty"):
        command("remove", "b", "--yes", capsys=capsys)
    sweep()
    command("drain", "b", "--wait", capsys=capsys)
    assert command("remove", "b", "--yes", capsys=capsys)["status"] == "removed"
    configure(settings, tmp_path, "acd")
    assert command("add", "d", capsys=capsys)["status"] == "active"
    for action, status in [
        ("read-only", "read-only"),
        ("offline", "offline"),
        ("online", "active"),
    ]:
        assert command(action, "c", capsys=capsys)["status"] == status
    work()
    with pytest.raises(CommandError, match="0 objects have no other replica"):
        command("remove", "c", "--lost", capsys=capsys)
    burn(tmp_path, "c")
    gone = command("remove", "c", "--lost", "--yes", capsys=capsys)
    assert (gone["status"], gone["lost"]) == ("removed", 0)
    assert gone["copies_struck_off"] > 0
    work()
    told = command("status", capsys=capsys)
    assert [shown["region"] for shown in told["regions"]] == ["a", "c", "d"]
    assert (told["under_replicated"], told["fewer_than_two_verified"]) == (0, 0)
    with pytest.raises(CommandError, match="Say which region"):
        command("offline", capsys=capsys)
    everything_is_there(backup, contents)
