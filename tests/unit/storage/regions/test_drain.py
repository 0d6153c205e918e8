"""A region is drained: replicas are made elsewhere before one is taken away."""

from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from accounts.models import AuditEvent
from backup_service import clock
from billing.actions import subscribe
from storage.integrity import scrub
from storage.models import Attempt, Replica, Vault
from storage.object_names import StoreKey
from storage.regions import drain, lifecycle
from storage.regions.lifecycle import RegionActionError
from storage.regions.status import replica_counts
from storage.replication import backfill
from storage.replication.replicator import replicate_due
from storage.stores.base import Source
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.registry import store_of
from tests.support.storage.regions import burn, configure, proved, region, sweep, work
from tests.support.storage.replicas import replica_in, states
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


def test_draining_makes_replicas_elsewhere_before_it_takes_one_away(
    backup: Caller, contents: list[bytes]
) -> None:
    assert lifecycle.drain(region("b"), SERVICE)
    assert not lifecycle.drain(region("b"), SERVICE)
    assert drain.drain_due() == 0
    assert Replica.objects.filter(region__alias="b", state="stored").count() == 12
    work()
    assert where(backup, contents) == {"ac"}
    assert not Replica.objects.filter(region__alias="b").exists()
    everything_is_there(backup, contents)
    assert not figures("b").empty  # the bytes wait for their readers
    going = figures("b").drain
    assert going is not None
    assert going.doomed == 12
    assert sweep() == 12
    assert figures("b").empty
    assert list(store_of(region("b")).list_keys()) == []
    assert AuditEvent.objects.get(verb="region.status").detail == {"status": "draining"}


def test_a_draining_region_takes_nothing_new_and_is_still_read(
    backup: Caller, contents: list[bytes], tmp_path: Path
) -> None:
    lifecycle.drain(region("b"), SERVICE)
    content = some()
    backup.put(content)
    assert states(backup.stored_object(content)) == {"a": "stored", "c": "pending"}
    burn(tmp_path, "a")
    everything_is_there(backup, contents)


def test_an_upload_that_was_on_its_way_when_draining_began_is_moved(
    backup: Caller, contents: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FilesystemStore.put

    def slowly(store: FilesystemStore, key: StoreKey, body: Source, size: int) -> None:
        real(store, key, body, size)
        lifecycle.drain(region("a"), SERVICE)

    content = some()
    with monkeypatch.context() as patch:
        patch.setattr(FilesystemStore, "put", slowly)
        assert backup.put(content).status_code == 200
    assert states(backup.stored_object(content))["a"] == "stored"
    work()
    assert proved(backup.stored_object(content)) == {"b", "c"}
    everything_is_there(backup, [*contents, content])


def test_a_region_is_not_drained_where_two_replicas_cannot_be(
    settings: Settings, tmp_path: Path, backup: Caller, contents: list[bytes]
) -> None:
    configure(settings, tmp_path, "ab")
    with pytest.raises(RegionActionError, match="Without b there is 1 failure domain left"):
        lifecycle.drain(region("b"), SERVICE)
    configure(settings, tmp_path, "abc")
    settings.REGION_OPTIONS = {"A_FAILURE_DOMAIN": "hall", "C_FAILURE_DOMAIN": "hall"}
    with pytest.raises(RegionActionError, match="Add a region first"):
        lifecycle.drain(region("b"), SERVICE)
    assert region("b").status == "active"


def test_copies_stay_while_the_others_are_unproved_or_damaged(
    backup: Caller, contents: list[bytes]
) -> None:
    lifecycle.drain(region("b"), SERVICE)
    backfill.backfill_due()
    replicate_due()
    Replica.objects.filter(region__alias="c").update(verified_at=None)
    assert drain.drain_due() == 0
    Replica.objects.filter(region__alias="c").update(verified_at=clock.now())
    bad = replica_in(backup.stored_object(contents[0]), "a")
    Replica.objects.filter(pk=bad.pk).update(state="corrupt")
    assert drain.drain_due() == 11
    assert states(backup.stored_object(contents[0])) == {
        "a": "corrupt",
        "b": "stored",
        "c": "stored",
    }
    work()
    assert where(backup, contents) == {"ac"}


def test_the_count_is_taken_again_when_a_replica_goes(
    backup: Caller, contents: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica elsewhere decays between the look at the page and the moment of removal."""
    lifecycle.drain(region("b"), SERVICE)
    backfill.backfill_due()
    replicate_due()
    real = drain.remove_if_enough

    def late(replica: Replica, wanted: int) -> bool:
        Replica.objects.filter(object=replica.object_id, region__alias="c").update(state="corrupt")
        return real(replica, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(drain, "remove_if_enough", late)
        assert drain.drain_due() == 0
    assert Replica.objects.filter(region__alias="b", state="stored").count() == 12


def test_deleted_objects_within_their_grace_are_moved_as_well(
    backup: Caller, maintain: Caller, contents: list[bytes]
) -> None:
    obj = backup.stored_object(contents[0])
    maintain.delete(f"data/{obj.name}")
    lifecycle.drain(region("b"), SERVICE)
    work()
    assert proved(obj) == {"a", "c"}


def test_damaged_bytes_kept_aside_leave_with_the_region(
    backup: Caller, contents: list[bytes]
) -> None:
    bad = replica_in(backup.stored_object(contents[0]), "b")
    damage(bad)
    scrub.scrub_all()
    replicate_due()
    assert Attempt.objects.filter(state="quarantined").count() == 1
    lifecycle.drain(region("b"), SERVICE)
    work()
    sweep()
    assert figures("b").empty


def test_the_remains_of_a_lost_object_stay_in_a_draining_region(
    backup: Caller, contents: list[bytes]
) -> None:
    obj = backup.stored_object(contents[0])
    for alias in "ab":
        damage(replica_in(obj, alias))
    scrub.scrub_all()
    assert backup.state_of(obj) == "lost"
    lifecycle.drain(region("b"), SERVICE)
    work()
    sweep()
    assert not figures("b").empty
    with pytest.raises(RegionActionError, match="not empty"):
        lifecycle.remove(region("b"), SERVICE)
    assert backup.put(contents[0]).status_code == 200
    work()
    sweep()
    work()
    sweep()
    assert figures("b").empty
    assert proved(obj) == {"a", "c"}


def test_undraining_keeps_what_has_not_gone(backup: Caller, contents: list[bytes]) -> None:
    lifecycle.drain(region("b"), SERVICE)
    backfill.backfill_due()
    lifecycle.online(region("b"), SERVICE)
    work()
    assert where(backup, contents) == {"abc"}
    assert region("b").status == "active"


def test_a_plus_account_drained_to_two_regions_keeps_two(
    backup: Caller, vault: Vault, contents: list[bytes]
) -> None:
    """Three were promised; what is possible is done, and said."""
    subscribe(vault.account, plan="plus", actor=SERVICE)
    work()
    assert where(backup, contents) == {"abc"}
    lifecycle.drain(region("b"), SERVICE)
    work()
    assert where(backup, contents) == {"ac"}
    assert replica_counts().too_few_regions
