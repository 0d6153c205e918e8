"""Damage is found by scrub, repaired from another copy, and lost objects are found again."""

import os
import shutil
from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from backup_service import clock
from storage import copies, expire, scrub
from storage.models import Attempt, StoredObject
from storage.repair import repair
from storage.replicate import replicate_due
from tests.storage.conftest import damage, path_of, sha, some
from tests.storage.copied import address, copy_in, held, states

__all__ = ["address", "held"]
pytestmark = pytest.mark.django_db


def test_scrub_finds_every_flipped_bit(backup):
    contents = [some(500) for _ in range(30)]
    for content in contents:
        backup.put(content)
    replicate_due()
    for number, content in enumerate(contents):
        copy = copy_in(backup.held(content), "ab"[number % 2])
        flipped = bytearray(content)
        flipped[number * 7 % 500] ^= 1 << number % 8
        damage(copy, bytes(flipped))
    findings = scrub.scrub_all()
    assert (findings.checked, findings.damaged) == (60, 30)
    assert repair(SERVICE).copies_made == 30
    assert scrub.scrub_all().damaged == 0
    assert all(backup.fetch(f"data/{sha(content)}") == content for content in contents)


def test_damaged_bytes_are_kept_aside(backup, held):
    path = damage(copy_in(held, "a"))
    scrub.scrub_all()
    repair(SERVICE)
    assert path.read_bytes() == b"decayed"
    assert Attempt.objects.filter(state="quarantined").count() == 1


def test_quarantine_ends_with_a_grace_of_its_own(held):
    path = damage(copy_in(held, "a"))
    scrub.scrub_all()
    repair(SERVICE)
    with clock.travelled(timedelta(days=29)):
        assert expire.sweep() == 0
    with clock.travelled(timedelta(days=31)):
        expire.sweep()
    with clock.travelled(timedelta(days=32)):
        assert expire.sweep() == 1
    assert not path.exists()


def test_the_last_damaged_bytes_of_a_lost_object_are_kept(held):
    for alias in "ab":
        copy = copy_in(held, alias)
        damage(copy)
        copies.quarantine(str(copy.attempt_id))
    StoredObject.objects.update(state="lost")
    with clock.travelled(timedelta(days=400)):
        expire.sweep()
        assert expire.sweep() == 0
    assert Attempt.objects.filter(state="quarantined").count() == 2


def test_half_written_files_of_killed_processes_are_swept(held, tmp_path):
    left = tmp_path / "region-a" / ".staging" / "half"
    left.write_bytes(b"x")
    assert expire.sweep_staging() == 0
    os.utime(left, (0, 0))
    assert expire.sweep_staging() == 1


def test_a_drive_that_comes_back_is_believed_after_a_look(held, tmp_path):
    path = path_of(copy_in(held, "a"))
    path.rename(path.with_suffix(".away"))
    scrub.scrub_all()
    assert states(held)["a"] == "missing"
    path.with_suffix(".away").rename(path)
    before = Attempt.objects.count()
    assert replicate_due() == 1
    assert Attempt.objects.count() == before
    assert states(held) == {"a": "stored", "b": "stored"}


def test_a_region_that_was_destroyed_is_filled_again(backup, held, address, tmp_path):
    good = backup.fetch(address)
    shutil.rmtree(tmp_path / "region-a")
    assert backup.fetch(address) == good
    findings = scrub.scrub_all()
    assert findings.unreachable == 1
    done = repair(SERVICE)
    assert (done.regions_begun_anew, done.copies_made, done.waiting) == (["a"], 1, 0)
    assert states(held) == {"a": "stored", "b": "stored"}
    shutil.rmtree(tmp_path / "region-b")
    assert backup.fetch(address) == good


def test_repair_alone_notices_the_destroyed_region(held, tmp_path):
    shutil.rmtree(tmp_path / "region-a")
    (tmp_path / "region-a").mkdir()
    assert repair(SERVICE).copies_made == 1


def test_lost_objects_are_found_when_their_bytes_return(backup, held, address):
    good = backup.fetch(address)
    paths = [damage(copy_in(held, alias)) for alias in "ab"]
    scrub.scrub_all()
    assert backup.held_state(held) == "lost"
    assert repair(SERVICE).found_again == 0
    paths[1].write_bytes(good)
    assert repair(SERVICE).found_again == 1
    assert backup.held_state(held) == "live"
    assert backup.fetch(address) == good
