"""The life of a region: added, filled, drained, taken offline and back, removed, burnt."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from accounts.audit import SERVICE
from accounts.models import AuditEvent
from backup_service import clock
from billing.actions import subscribe
from storage import emptying, health, lifecycle, refill
from storage.lifecycle import RegionActError
from storage.models import Attempt, Refill, Region, Replica, StoredObject
from storage.regions import store_of
from storage.regions.base import RegionUnavailableError
from storage.replicate import replicate_due
from storage.status import copies_status, region_status
from tests.storage.conftest import caller, damage, some
from tests.storage.copied import copy_in, states
from tests.storage.regions import begin, burn, configure, proved, region, sweep, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def regions(settings, tmp_path, db) -> list[Region]:
    """Three regions, each by itself."""
    return begin(settings, tmp_path, "abc")


@pytest.fixture
def contents(backup) -> list[bytes]:
    """Objects with their copies made and read back: in a and b, with nothing in c."""
    made = [some() for _ in range(12)]
    for content in made:
        assert backup.put(content).status_code == 200
    work()
    assert {tuple(proved(backup.held(content))) for content in made} <= {("a", "b"), ("b", "a")}
    return made


def everything_is_there(backup, contents) -> None:
    assert all(backup.fetch(f"data/{backup.held(c).name}") == c for c in contents)


def where(backup, contents) -> set[str]:
    """Return the sets of regions with proved copies, as words."""
    return {"".join(sorted(proved(backup.held(content)))) for content in contents}


def figures(alias: str):
    return next(one for one in region_status(clock.now()) if one.region == alias)


# --- refill


def test_what_lacks_copies_is_filled_when_a_region_is_added(settings, tmp_path, backup):
    configure(settings, tmp_path, "a")
    Region.objects.filter(alias__in="bc").update(status="removed", instance="")
    content = some()
    backup.put(content)
    work()
    assert states(backup.held(content)) == {"a": "stored"}
    status = copies_status()
    assert (status.under_replicated, status.fewer_than_two_verified) == (1, 1)
    assert (status.reachable, status.promised, status.too_few_regions) == (1, 2, True)
    configure(settings, tmp_path, "ad")
    assert lifecycle.add("d", SERVICE).status == "active"
    work()
    assert proved(backup.held(content)) == {"a", "d"}
    assert copies_status().under_replicated == 0
    assert not copies_status().too_few_regions


def test_a_larger_plan_gets_its_third_copy(backup, vault, contents):
    assert copies_status().under_replicated == 0
    subscribe(vault.account, plan="plus", actor=SERVICE)
    assert copies_status().under_replicated == len(contents)
    work()
    assert where(backup, contents) == {"abc"}
    assert not Refill.objects.exclude(scope="all").filter(ended_at=None).exists()


def test_a_refill_goes_on_where_it_was_interrupted(backup, contents, monkeypatch):
    monkeypatch.setattr(refill, "BATCH", 5)
    lifecycle.offline(region("b"), SERVICE)
    walk = Refill.objects.get(scope="all")
    assert refill._step(walk) == 5
    assert refill._step(Refill.objects.get(scope="all")) == 5
    assert Replica.objects.filter(region__alias="c").count() == 10
    # Somebody who stands at the old place does nothing twice, and steps back.
    walk.cursor = 0
    assert refill._step(walk) is None
    assert Replica.objects.filter(region__alias="c").count() == 10
    work()
    assert where(backup, contents) == {"ac"}


def test_a_refill_waits_while_there_is_a_backlog(backup, contents, monkeypatch):
    monkeypatch.setattr(refill, "BACKLOG", 4)
    monkeypatch.setattr(refill, "BATCH", 2)
    lifecycle.offline(region("b"), SERVICE)
    assert refill.refill_due() == 4
    assert refill.refill_due() == 0
    assert replicate_due() == 4
    assert refill.refill_due() == 4
    work(rounds=20)
    assert where(backup, contents) == {"ac"}


def test_everything_is_looked_at_again_every_hour(backup, contents):
    """Whatever went past a walk unseen is found by the next."""
    work()
    held = backup.held(contents[0])
    held.replicas.filter(region__alias="b").delete()
    work()
    assert proved(held) == {"a"}
    with clock.travelled(timedelta(hours=2)):
        work()
    assert len(proved(held)) == 2


def test_a_copy_that_waits_for_a_full_region_goes_to_another(backup):
    content = some()
    backup.put(content)
    assert states(backup.held(content)) == {"a": "stored", "b": "pending"}
    health.note_full(region("b"))
    refill.request()
    work()
    assert states(backup.held(content)) == {"a": "stored", "c": "stored"}


def test_without_another_region_the_copy_waits_for_the_full_one(settings, tmp_path, backup):
    configure(settings, tmp_path, "ab")
    content = some()
    backup.put(content)
    health.note_full(region("b"))
    refill.request()
    assert refill.refill_due() == 0
    assert states(backup.held(content)) == {"a": "stored", "b": "pending"}


# --- draining


def test_draining_makes_copies_elsewhere_before_it_takes_one_away(backup, contents):
    assert lifecycle.drain(region("b"), SERVICE)
    assert not lifecycle.drain(region("b"), SERVICE)
    assert emptying.empty_due() == 0
    assert Replica.objects.filter(region__alias="b", state="stored").count() == 12
    work()
    assert where(backup, contents) == {"ac"}
    assert not Replica.objects.filter(region__alias="b").exists()
    everything_is_there(backup, contents)
    assert not figures("b").empty  # the bytes wait for their readers
    assert figures("b").drain.doomed == 12
    assert sweep() == 12
    assert figures("b").empty
    assert list(store_of(region("b")).list_keys()) == []
    assert AuditEvent.objects.get(verb="region.status").detail == {"status": "draining"}


def test_a_draining_region_takes_nothing_new_and_is_still_read(backup, contents, tmp_path):
    lifecycle.drain(region("b"), SERVICE)
    content = some()
    backup.put(content)
    assert states(backup.held(content)) == {"a": "stored", "c": "pending"}
    burn(tmp_path, "a")
    everything_is_there(backup, contents)


def test_an_upload_that_was_on_its_way_when_draining_began_is_moved(backup, contents, monkeypatch):
    from storage.regions.filesystem import FilesystemStore

    real = FilesystemStore.put

    def slowly(store, key, body, size):
        real(store, key, body, size)
        lifecycle.drain(region("a"), SERVICE)

    content = some()
    with monkeypatch.context() as patch:
        patch.setattr(FilesystemStore, "put", slowly)
        assert backup.put(content).status_code == 200
    assert states(backup.held(content))["a"] == "stored"
    work()
    assert proved(backup.held(content)) == {"b", "c"}
    everything_is_there(backup, [*contents, content])


def test_a_region_is_not_drained_where_two_copies_cannot_be(settings, tmp_path, backup, contents):
    configure(settings, tmp_path, "ab")
    with pytest.raises(RegionActError, match="Without b there is 1 failure domain left"):
        lifecycle.drain(region("b"), SERVICE)
    configure(settings, tmp_path, "abc")
    settings.REGION_OPTIONS = {"A_FAILURE_DOMAIN": "hall", "C_FAILURE_DOMAIN": "hall"}
    with pytest.raises(RegionActError, match="Add a region first"):
        lifecycle.drain(region("b"), SERVICE)
    assert region("b").status == "active"


def test_copies_stay_while_the_others_are_unproved_or_damaged(backup, contents):
    lifecycle.drain(region("b"), SERVICE)
    refill.refill_due()
    replicate_due()
    Replica.objects.filter(region__alias="c").update(verified_at=None)
    assert emptying.empty_due() == 0
    Replica.objects.filter(region__alias="c").update(verified_at=clock.now())
    bad = copy_in(backup.held(contents[0]), "a")
    Replica.objects.filter(pk=bad.pk).update(state="corrupt")
    assert emptying.empty_due() == 11
    assert states(backup.held(contents[0])) == {"a": "corrupt", "b": "stored", "c": "stored"}
    work()
    assert where(backup, contents) == {"ac"}


def test_the_count_is_taken_again_when_a_copy_goes(backup, contents, monkeypatch):
    """A copy elsewhere decays between the look at the page and the moment of removal."""
    lifecycle.drain(region("b"), SERVICE)
    refill.refill_due()
    replicate_due()
    real = emptying._let_go

    def late(replica, wanted):
        Replica.objects.filter(object=replica.object_id, region__alias="c").update(state="corrupt")
        return real(replica, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(emptying, "_let_go", late)
        assert emptying.empty_due() == 0
    assert Replica.objects.filter(region__alias="b", state="stored").count() == 12


def test_deleted_objects_within_their_grace_are_moved_as_well(backup, maintain, contents):
    held = backup.held(contents[0])
    maintain.delete(f"data/{held.name}")
    lifecycle.drain(region("b"), SERVICE)
    work()
    assert proved(held) == {"a", "c"}


def test_damaged_bytes_kept_aside_leave_with_the_region(backup, contents):
    bad = copy_in(backup.held(contents[0]), "b")
    damage(bad)
    from storage import scrub

    scrub.scrub_all()
    replicate_due()
    assert Attempt.objects.filter(state="quarantined").count() == 1
    lifecycle.drain(region("b"), SERVICE)
    work()
    sweep()
    assert figures("b").empty


def test_the_remains_of_a_lost_object_stay_in_a_draining_region(backup, contents):
    from storage import scrub

    held = backup.held(contents[0])
    for alias in "ab":
        damage(copy_in(held, alias))
    scrub.scrub_all()
    assert backup.held_state(held) == "lost"
    lifecycle.drain(region("b"), SERVICE)
    work()
    sweep()
    assert not figures("b").empty
    with pytest.raises(RegionActError, match="not empty"):
        lifecycle.remove(region("b"), SERVICE)
    assert backup.put(contents[0]).status_code == 200
    work()
    sweep()
    work()
    sweep()
    assert figures("b").empty
    assert proved(held) == {"a", "c"}


def test_undraining_keeps_what_has_not_gone(backup, contents):
    lifecycle.drain(region("b"), SERVICE)
    refill.refill_due()
    lifecycle.online(region("b"), SERVICE)
    work()
    assert where(backup, contents) == {"abc"}
    assert region("b").status == "active"


def test_a_plus_account_drained_to_two_regions_keeps_two(backup, vault, contents):
    """Three were promised; what is possible is done, and said."""
    subscribe(vault.account, plan="plus", actor=SERVICE)
    work()
    assert where(backup, contents) == {"abc"}
    lifecycle.drain(region("b"), SERVICE)
    work()
    assert where(backup, contents) == {"ac"}
    assert copies_status().too_few_regions


# --- read-only, offline, online


def test_a_read_only_region_keeps_its_copies_and_takes_none(backup, contents):
    lifecycle.read_only(region("b"), SERVICE)
    content = some()
    backup.put(content)
    work()
    assert proved(backup.held(content)) == {"a", "c"}
    assert where(backup, contents) == {"ab"}


def test_an_offline_regions_copies_are_made_elsewhere_and_count_again_later(backup, contents):
    lifecycle.offline(region("b"), SERVICE)
    assert copies_status().under_replicated == 12
    work()
    assert where(backup, contents) == {"ac"}
    everything_is_there(backup, contents)
    with clock.travelled(timedelta(hours=1)):
        assert lifecycle.online(region("b"), SERVICE)
        assert where(backup, contents) == {"ac"}  # not before they have been read back
        work()
        assert where(backup, contents) == {"abc"}


def test_a_copy_that_decayed_while_its_region_was_offline_is_found(backup, contents):
    lifecycle.offline(region("b"), SERVICE)
    damage(copy_in(backup.held(contents[0]), "b"))
    with clock.travelled(timedelta(hours=1)):
        lifecycle.online(region("b"), SERVICE)
        work()
        assert where(backup, contents) == {"ab"}
        assert "b" in proved(backup.held(contents[0]))
    everything_is_there(backup, contents)


def test_a_region_whose_store_is_away_does_not_come_online(backup, contents, tmp_path):
    lifecycle.offline(region("b"), SERVICE)
    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    with pytest.raises(RegionUnavailableError, match="mounted"):
        lifecycle.online(region("b"), SERVICE)
    assert region("b").status == "offline"


def test_acts_that_make_no_sense_are_refused(backup, contents):
    lifecycle.offline(region("b"), SERVICE)
    with pytest.raises(RegionActError, match="bring it online first"):
        lifecycle.drain(region("b"), SERVICE)
    with pytest.raises(RegionActError, match="There is no region x; there are: a, b, c"):
        region("x")
    with pytest.raises(RegionActError, match="active already"):
        lifecycle.add("a", SERVICE)
    with pytest.raises(RegionActError, match="NIGHTSAFE_REGIONS"):
        lifecycle.add("x", SERVICE)


# --- removed, burnt


def test_an_empty_region_is_removed_and_may_begin_anew(backup, contents, tmp_path):
    with pytest.raises(RegionActError, match="Drain it first"):
        lifecycle.remove(region("b"), SERVICE)
    lifecycle.drain(region("b"), SERVICE)
    with pytest.raises(RegionActError, match="not empty: 12 copies"):
        lifecycle.remove(region("b"), SERVICE)
    work()
    sweep()
    lifecycle.remove(region("b"), SERVICE)
    assert (region("b").status, region("b").instance) == ("removed", "")
    assert "take it out of NIGHTSAFE_REGIONS" in figures("b").problem
    from storage.regions import prepare_new

    assert prepare_new(SERVICE) == []
    with pytest.raises(RegionUnavailableError, match="not empty"):
        lifecycle.add("b", SERVICE)  # the directory still has its old marker and folders
    burn(tmp_path, "b")
    assert lifecycle.add("b", SERVICE).status == "active"


def test_a_burnt_region_is_struck_off_and_filled_elsewhere(backup, contents, tmp_path):
    burn(tmp_path, "b")
    lifecycle.give_up(region("b"), SERVICE)
    work()
    assert region("b").status == "removed"
    assert where(backup, contents) == {"ac"}
    assert not Attempt.objects.filter(region__alias="b").exists()
    everything_is_there(backup, contents)
    assert copies_status().fewer_than_two_verified == 0


def test_what_had_its_only_copy_there_is_lost_and_said_to_be(backup, contents, tmp_path):
    alone = some()
    backup.put(alone)
    backup.held(alone).replicas.exclude(region__alias="a").delete()
    assert lifecycle.sole_copies(region("a")) == 1
    burn(tmp_path, "a")
    lifecycle.give_up(region("a"), SERVICE)
    work()
    held = backup.held(alone)
    assert backup.held_state(held) == "lost"
    assert AuditEvent.objects.filter(verb="object.lost", account=held.vault.account).count() == 1
    assert copies_status().lost == 1
    everything_is_there(backup, contents)
    assert where(backup, contents) == {"bc"}
    assert backup.put(alone).status_code == 200
    work()
    assert proved(held) == {"b", "c"}


def test_an_upload_into_a_region_that_burns_meanwhile_is_refused(backup, monkeypatch):
    from storage.regions.filesystem import FilesystemStore

    real = FilesystemStore.put

    def slowly(store, key, body, size):
        real(store, key, body, size)
        if store.alias == "a":
            lifecycle.give_up(region("a"), SERVICE)
            work()

    content = some()
    with monkeypatch.context() as patch:
        patch.setattr(FilesystemStore, "put", slowly)
        assert backup.put(content).status_code == 503
    assert not StoredObject.objects.exists()
    assert backup.put(content).status_code == 200
    work()
    assert proved(backup.held(content)) == {"b", "c"}


# --- health


def test_health_is_seen_and_said(settings, tmp_path, backup, contents):
    settings.REGION_OPTIONS = {"B_CAPACITY": "12kB"}
    burn(tmp_path, "c")
    health.look()
    assert [region(alias).health for alias in "abc"] == ["well", "full", "away"]
    content = some()
    backup.put(content)
    assert states(backup.held(content)) == {"a": "stored", "c": "pending"}
    settings.REGION_OPTIONS = {"B_CAPACITY": "1GB"}
    with clock.travelled(timedelta(minutes=6)):
        health.look()
    assert region("b").health == "well"


def test_a_store_that_says_it_is_full_is_asked_last(backup, monkeypatch):
    from storage.regions import filesystem
    from storage.regions.base import RegionFullError

    real = filesystem.FilesystemStore.put

    def full(store, key, body, size):
        if store.alias == "a":
            raise RegionFullError("Region a is full.")
        real(store, key, body, size)

    monkeypatch.setattr(filesystem.FilesystemStore, "put", full)
    content = some()
    assert backup.put(content).status_code == 200
    assert states(backup.held(content)) == {"b": "stored", "c": "pending"}
    assert region("a").health == "full"


# --- at the command line


def command(*arguments: str, capsys) -> dict:
    call_command("region", *arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_the_commands(settings, tmp_path, backup, contents, capsys):
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
    with pytest.raises(CommandError, match="0 objects have no other copy"):
        command("remove", "c", "--lost", capsys=capsys)
    burn(tmp_path, "c")
    gone = command("remove", "c", "--lost", "--yes", capsys=capsys)
    assert (gone["status"], gone["lost"]) == ("removed", 0)
    assert gone["copies_struck_off"] > 0
    work()
    status = command("status", capsys=capsys)
    assert [shown["region"] for shown in status["regions"]] == ["a", "c", "d"]
    assert (status["under_replicated"], status["fewer_than_two_verified"]) == (0, 0)
    with pytest.raises(CommandError, match="Say which region"):
        command("offline", capsys=capsys)
    everything_is_there(backup, contents)


def test_another_tenant_is_not_touched_by_an_accounts_refill(contents, bob, vault):
    content = some()
    bob.put(content)
    work()
    subscribe(vault.account, plan="plus", actor=SERVICE)
    work()
    assert len(proved(bob.held(content))) == 2
    assert caller(vault, "restore").names("data") != []
