"""Damage is found by scrub, repaired from another replica, and lost objects are found again."""

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command

from accounts.audit import SERVICE
from backup_service import clock
from storage.deletion import sweep
from storage.errors import BadRequestError
from storage.integrity import scrub
from storage.integrity.repair import repair
from storage.models import Attempt, Replica, StoredObject
from storage.objects import replicas
from storage.replication.replicator import replicate_due
from tests.support.storage.replicas import address, obj, replica_in, states
from tests.unit.storage.conftest import Caller, damage, path_of, sha, some

__all__ = ["address", "obj"]
pytestmark = pytest.mark.django_db


def test_scrub_finds_every_flipped_bit(backup: Caller) -> None:
    contents = [some(500) for _ in range(30)]
    for content in contents:
        backup.put(content)
    replicate_due()
    for number, content in enumerate(contents):
        replica = replica_in(backup.stored_object(content), "ab"[number % 2])
        flipped = bytearray(content)
        flipped[number * 7 % 500] ^= 1 << number % 8
        damage(replica, bytes(flipped))
    result = scrub.scrub_all()
    assert (result.checked, result.damaged) == (60, 30)
    assert repair(SERVICE).copies_made == 30
    assert scrub.scrub_all().damaged == 0
    assert all(backup.fetch(f"data/{sha(content)}") == content for content in contents)


def test_damaged_bytes_are_kept_aside(backup: Caller, obj: StoredObject) -> None:
    path = damage(replica_in(obj, "a"))
    scrub.scrub_all()
    repair(SERVICE)
    assert path.read_bytes() == b"decayed"
    assert Attempt.objects.filter(state="quarantined").count() == 1


def test_quarantine_ends_with_a_grace_of_its_own(obj: StoredObject) -> None:
    path = damage(replica_in(obj, "a"))
    scrub.scrub_all()
    repair(SERVICE)
    with clock.travelled(timedelta(days=29)):
        assert sweep.sweep() == 0
    with clock.travelled(timedelta(days=31)):
        sweep.sweep()
    with clock.travelled(timedelta(days=32)):
        assert sweep.sweep() == 1
    assert not path.exists()


def test_the_last_damaged_bytes_of_a_lost_object_are_kept(obj: StoredObject) -> None:
    for alias in "ab":
        replica = replica_in(obj, alias)
        damage(replica)
        replicas.quarantine(str(replica.attempt_id))
    StoredObject.objects.update(state="lost")
    with clock.travelled(timedelta(days=400)):
        sweep.sweep()
        assert sweep.sweep() == 0
    assert Attempt.objects.filter(state="quarantined").count() == 2


def test_damaged_bytes_are_kept_while_no_replica_is_proved(obj: StoredObject) -> None:
    damage(replica_in(obj, "a"))
    scrub.scrub_all()
    repair(SERVICE)
    Replica.objects.update(verified_at=None)
    with clock.travelled(timedelta(days=31)):
        sweep.sweep()
        assert Attempt.objects.filter(state="quarantined").count() == 1
        scrub.scrub_all()
        sweep.sweep()
    assert not Attempt.objects.filter(state="quarantined").exists()


def test_half_written_files_of_killed_processes_are_swept(
    obj: StoredObject, tmp_path: Path
) -> None:
    left = tmp_path / "region-a" / ".staging" / "half"
    left.write_bytes(b"x")
    assert sweep.sweep_staging() == 0
    os.utime(left, (0, 0))
    assert sweep.sweep_staging() == 1


def test_a_drive_that_comes_back_is_believed_after_a_look(
    obj: StoredObject, tmp_path: Path
) -> None:
    path = path_of(replica_in(obj, "a"))
    path.rename(path.with_suffix(".away"))
    scrub.scrub_all()
    assert states(obj)["a"] == "missing"
    path.with_suffix(".away").rename(path)
    before = Attempt.objects.count()
    assert replicate_due() == 1
    assert Attempt.objects.count() == before
    assert states(obj) == {"a": "stored", "b": "stored"}


def test_a_region_that_was_destroyed_is_filled_again(
    backup: Caller, obj: StoredObject, address: str, tmp_path: Path
) -> None:
    good = backup.fetch(address)
    shutil.rmtree(tmp_path / "region-a")
    assert backup.fetch(address) == good
    done = repair(SERVICE, anew=["a"])
    assert (done.regions_begun_anew, done.copies_made, done.waiting) == (["a"], 1, 0)
    assert states(obj) == {"a": "stored", "b": "stored"}
    shutil.rmtree(tmp_path / "region-b")
    assert backup.fetch(address) == good


def test_a_region_that_is_away_has_lost_nothing(
    backup: Caller, obj: StoredObject, tmp_path: Path
) -> None:
    """As when a drive is not mounted, whose folder is then there and empty."""
    for alias in "ab":
        (tmp_path / f"region-{alias}").rename(tmp_path / f"unmounted-{alias}")
        (tmp_path / f"region-{alias}").mkdir()
    assert scrub.scrub_all() == scrub.ScrubResult(unreachable=2)
    done = repair(SERVICE)
    assert (done.regions_begun_anew, done.regions_away, done.lost) == ([], ["a", "b"], 0)
    assert states(obj) == {"a": "stored", "b": "stored"}
    for alias in "ab":
        (tmp_path / f"region-{alias}").rmdir()
        (tmp_path / f"unmounted-{alias}").rename(tmp_path / f"region-{alias}")
    assert scrub.scrub_all().checked == 2
    assert repair(SERVICE).regions_away == []


@pytest.mark.parametrize("alias", ["a", "nowhere"])
def test_only_what_is_gone_begins_anew(obj: StoredObject, alias: str) -> None:
    with pytest.raises(BadRequestError):
        repair(SERVICE, anew=[alias])
    assert states(obj) == {"a": "stored", "b": "stored"}


def test_the_commands_say_what_is_away_and_what_to_do(
    obj: StoredObject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "region-a")
    with pytest.raises(SystemExit) as ended:
        call_command("scrub", "--all")
    assert ended.value.code == 1
    with pytest.raises(SystemExit) as ended:
        call_command("repair")
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "unreachable: 1" in said.out
    assert "repair --begin-anew a" in said.err
    call_command("repair", "--begin-anew", "a")
    call_command("scrub", "--all")
    assert states(obj) == {"a": "stored", "b": "stored"}


def test_a_scrub_of_what_is_due_says_what_is_away(
    obj: StoredObject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "region-a")
    with pytest.raises(SystemExit) as ended:
        call_command("scrub", "--json")
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["regions_away"] == ["a"]
    assert "Region a is not there" in said.err


def test_lost_objects_are_found_when_their_bytes_return(
    backup: Caller, obj: StoredObject, address: str
) -> None:
    good = backup.fetch(address)
    paths = [damage(replica_in(obj, alias)) for alias in "ab"]
    scrub.scrub_all()
    assert backup.state_of(obj) == "lost"
    assert repair(SERVICE).found_again == 0
    paths[1].write_bytes(good)
    assert repair(SERVICE).found_again == 1
    assert backup.state_of(obj) == "live"
    assert backup.fetch(address) == good
