"""Copies: made, proved, damaged, repaired, lost and found."""

import time
from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.models import AuditEvent
from backup_service import clock
from storage import carry, leases, scrub, throttle
from storage.enrol import create_vault
from storage.models import Attempt, Region, Replica, StoredObject, Vault
from storage.regions import store_of
from storage.regions.base import RegionUnavailableError, UnreadableError
from storage.regions.filesystem import FilesystemStore
from storage.repair import repair
from storage.replicate import replicate_due
from storage.turns import Turns
from tests.storage.conftest import caller, damage, path_of, sha, some
from tests.storage.test_ingest import states

pytestmark = pytest.mark.django_db


def copy_in(held: StoredObject, alias: str) -> Replica:
    return held.replicas.select_related("region", "attempt__vault").get(region__alias=alias)


@pytest.fixture
def held(backup) -> StoredObject:
    """An object with two proved copies."""
    content = some()
    backup.put(content)
    replicate_due()
    return backup.held(content)


@pytest.fixture
def address(held) -> str:
    return f"data/{held.name}"


# --- replication


def test_copies_follow_in_the_order_of_commits(backup, monkeypatch, settings):
    settings.COPIES_AT_ONCE = {"b": "1"}
    contents = [some() for _ in range(20)]
    for content in contents:
        backup.put(content)
    order = []
    real = FilesystemStore.put
    monkeypatch.setattr(
        FilesystemStore,
        "put",
        lambda self, key, body, size: (order.append(key.object.name), real(self, key, body, size)),
    )
    assert replicate_due() == 20
    assert order == [sha(content) for content in contents]


def test_a_copy_is_read_back_before_it_counts(backup, held):
    copy = copy_in(held, "b")
    assert copy.state == "stored"
    assert copy.verified_at is not None
    assert path_of(copy).read_bytes() == path_of(copy_in(held, "a")).read_bytes()


def test_a_region_that_says_done_and_stored_nothing(backup, monkeypatch):
    content = some()
    backup.put(content)
    with monkeypatch.context() as patch:
        patch.setattr(FilesystemStore, "put", lambda self, key, body, size: body.drain())
        assert replicate_due() == 0
    copy = copy_in(backup.held(content), "b")
    assert (copy.state, copy.tries) == ("pending", 1)
    assert copy.next_attempt_at > clock.now()
    with clock.travelled(timedelta(minutes=1)):
        assert replicate_due() == 1


def test_a_region_that_stores_other_bytes(backup, monkeypatch):
    content = some()
    backup.put(content)
    real = FilesystemStore._write
    with monkeypatch.context() as patch:
        patch.setattr(
            FilesystemStore,
            "_write",
            lambda self, descriptor, piece: real(self, descriptor, bytes(len(piece))),
        )
        assert replicate_due() == 0
    assert states(backup.held(content)) == {"a": "stored", "b": "pending"}
    assert Attempt.objects.filter(state="doomed").count() == 1


def test_a_copy_that_never_works_is_parked_and_blocks_nobody(backup, monkeypatch):
    poison, other = some(), some()
    backup.put(poison)
    real = FilesystemStore.put

    def put(self, key, body, size):
        if key.object.name == sha(poison):
            raise UnreadableError("this one breaks everything")
        real(self, key, body, size)

    monkeypatch.setattr(FilesystemStore, "put", put)
    backup.put(other)
    assert replicate_due() == 1
    for hours in range(1, leases.MOST_TRIES):
        with clock.travelled(timedelta(hours=2 * hours)):
            assert replicate_due() == 0
    copy = copy_in(backup.held(poison), "b")
    assert copy.parked_at is not None
    assert "breaks everything" in copy.last_error
    assert states(backup.held(other))["b"] == "stored"
    assert leases.unpark() == 1


def test_a_region_that_is_away_for_days_parks_nothing(backup, tmp_path):
    contents = [some() for _ in range(3)]
    backup.put(contents[0])
    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    for hours in range(2 * leases.MOST_TRIES):
        with clock.travelled(timedelta(hours=4 * hours)):
            assert replicate_due() == 0
    for content in contents[1:]:
        backup.put(content)
    assert {copy_in(backup.held(content), "b").tries for content in contents} == {0}
    (tmp_path / "unmounted").rename(tmp_path / "region-b")
    with clock.travelled(timedelta(hours=200)):
        assert replicate_due() == 3


def test_a_region_that_fails_in_the_middle_counts_against_no_object(backup, monkeypatch):
    contents = [some() for _ in range(20)]
    for content in contents:
        backup.put(content)
    real, calls = FilesystemStore.put, []

    def put(self, key, body, size):
        calls.append(key)
        if len(calls) > 5:
            raise RegionUnavailableError("gone")
        real(self, key, body, size)

    with monkeypatch.context() as patch:
        patch.setattr(FilesystemStore, "put", put)
        assert replicate_due() == 5
    assert len(calls) <= 5 + throttle.COPIES_AT_ONCE
    assert set(Replica.objects.values_list("tries", flat=True)) == {0}
    with clock.travelled(timedelta(minutes=1)):
        assert replicate_due() == 15


def test_a_copy_that_ends_its_worker_is_tried_alone_and_then_parked(backup):
    """The try is counted at the claim; whoever claims and never comes back was killed by it."""
    deadly, other = some(), some()
    backup.put(deadly)
    backup.put(other)
    held = backup.held(deadly)
    for number in range(leases.MOST_TRIES):
        with clock.travelled(timedelta(minutes=5 * number)):
            claim = leases.claim_suspect() if number >= leases.SUSPECT else leases.claim(1)
            assert [copy.object for copy in claim.replicas] == [held]
            assert claim.replicas[0].tries == number + 1
            if number >= leases.SUSPECT:
                beside = [copy.object for copy in leases.orderly()]
                assert beside == [backup.held(other)]
    with clock.travelled(timedelta(hours=2)):
        assert replicate_due() == 1
        copy = copy_in(held, "b")
        assert copy.parked_at is not None
        assert "workers' logs" in copy.last_error
    assert states(held) == {"a": "stored", "b": "pending"}
    with clock.travelled(timedelta(hours=3)):
        assert leases.unpark() == 1
        assert replicate_due() == 1


def test_a_copy_that_takes_long_keeps_its_lease(backup):
    backup.put(some())
    claim = leases.claim(1)
    pairs = [(copy.pk, claim.token) for copy in claim.replicas]
    with clock.travelled(timedelta(minutes=1.5)):
        leases.renew(pairs)
    with clock.travelled(timedelta(minutes=3)):
        assert leases.claim(1).replicas == []
        leases.renew([(pk, "somebody else's") for pk, _ in pairs])
    with clock.travelled(timedelta(minutes=4)):
        assert len(leases.claim(1).replicas) == 1


def test_many_copies_are_made_at_once_and_no_more_than_allowed(backup, monkeypatch, settings):
    settings.COPIES_AT_ONCE = {"b": "3"}
    for _ in range(12):
        backup.put(some())
    real, now, most = FilesystemStore.put, [], []

    def put(self, key, body, size):
        now.append(key)
        most.append(len(now))
        time.sleep(0.02)
        real(self, key, body, size)
        now.remove(key)

    monkeypatch.setattr(FilesystemStore, "put", put)
    assert replicate_due() == 12
    assert max(most) == 3


def test_a_rate_holds_copying_back(backup, settings):
    settings.COPY_RATES = {"b": "1M"}
    for _ in range(4):
        backup.put(some(200_000))
    begun = time.monotonic()
    assert replicate_due() == 4
    assert time.monotonic() - begun > 0.5  # 1.6 MB to and fro, 0.25 s of it at once


def test_every_vault_has_its_turn_and_what_is_fresh_has_every_second(backup, maintain, bob):
    """A vault with a long backlog, another one with a short one, and one that came just now."""
    other = caller(create_vault(backup.vault.account, name="desk", actor=SERVICE).vault, "backup")
    for _ in range(6):
        backup.put(some())
    for _ in range(3):
        other.put(some())
    with clock.travelled(timedelta(hours=9)):
        bob.put(some())
        bob.put(some())
        turns = Turns()
        turns.look(now=True)
        [region] = turns.regions
        taken = [turns.take(region, 1)[0] for _ in range(6)]
    assert taken[::2] == [bob.vault.pk] * 3
    assert set(taken[1::2]) == {backup.vault.pk, other.vault.pk}
    assert len(turns.take(region, 9)) == 3
    claim = leases.claim(6, region=region, vaults=[backup.vault.pk, other.vault.pk, bob.vault.pk])
    served = [copy.object.vault_id for copy in claim.replicas]
    assert {vault: served.count(vault) for vault in served} == {
        backup.vault.pk: 2,
        other.vault.pk: 2,
    }  # what bob stored is still hours away
    assert [copy.sequence for copy in claim.replicas if copy.object.vault == backup.vault] == [1, 2]


def test_a_lease_keeps_others_away_until_it_ends(backup):
    content = some()
    backup.put(content)
    first = leases.claim(10)
    assert len(first.replicas) == 1
    assert leases.claim(10).replicas == []
    assert replicate_due() == 0
    with clock.travelled(timedelta(minutes=11)):
        assert replicate_due() == 1
    assert not leases.held(first.replicas[0], first.token).exists()


def test_a_worker_whose_lease_was_taken_over_changes_nothing(backup, held):
    """It finishes late: its bytes are doomed, the other worker's copy stays."""
    from storage import replicate

    content = some()
    backup.put(content)
    slow = leases.claim(10)
    [attempt] = replicate.begin(slow.replicas)
    assert carry.carry(replicate.errand_of(slow.replicas[0], attempt)).error is None
    with clock.travelled(timedelta(minutes=11)):
        assert replicate_due() == 1
    assert not replicate.finish(slow.replicas[0], slow.token, attempt)
    assert Attempt.objects.get(pk=attempt.pk).state == "doomed"
    assert copy_in(backup.held(content), "b").attempt_id != attempt.pk


# --- reading


@pytest.mark.parametrize("harm", ["flip", "shorten", "remove", "lengthen"])
def test_a_damaged_first_copy_is_passed_over_and_repaired(backup, held, address, harm):
    path = path_of(copy_in(held, "a"))
    good = path.read_bytes()
    if harm == "remove":
        path.unlink()
    else:
        bad = {"flip": b"!" + good[1:], "shorten": good[:-1], "lengthen": good + b"x"}[harm]
        path.write_bytes(bad)
    if harm == "lengthen":
        assert backup.fetch(address) == good
        scrub.scrub_all()
    else:
        assert backup.fetch(address) == good
    assert states(held)["a"] in {"corrupt", "missing"}
    assert replicate_due() == 1
    assert states(held) == {"a": "stored", "b": "stored"}
    assert path_of(copy_in(held, "a")).read_bytes() == good


def test_a_large_damaged_copy_breaks_off_before_its_end(backup):
    """Its start was sent already: the client sees a short body, and gets the rest next time."""
    from storage.serve import CutShortError

    content = some(1_000_000)
    backup.put(content)
    replicate_due()
    path = path_of(copy_in(backup.held(content), "a"))
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    response = backup.get(f"data/{sha(content)}")
    received = bytearray()
    with pytest.raises(CutShortError):
        received.extend(piece for whole in response for piece in whole)
    assert len(received) < len(content)
    assert backup.fetch(f"data/{sha(content)}") == content


def test_a_range_asked_for_again_comes_from_a_copy_hashed_first(backup, held, address):
    good = path_of(copy_in(held, "b")).read_bytes()
    damage(copy_in(held, "a"), bytes(len(good)))
    span = {"range": "bytes=10-19"}
    assert backup.fetch(address, headers=span) == bytes(10)
    assert backup.fetch(address, headers=span) == good[10:20]
    assert states(held)["a"] == "corrupt"


def test_without_a_good_copy_the_object_is_lost_and_said_to_be(backup, held, address):
    for alias in "ab":
        damage(copy_in(held, alias))
    epoch = Vault.objects.get(pk=held.vault_id).epoch
    response = backup.get(address)
    assert response.status_code == 503
    assert b"Nothing was deleted" in response.content
    assert backup.held_state(held) == "lost"
    assert AuditEvent.objects.filter(verb="object.lost").count() == 1
    assert Vault.objects.get(pk=held.vault_id).epoch == epoch + 1
    assert backup.get(address).status_code == 404


def test_an_unreachable_region_is_not_a_lost_copy(backup, held, address, tmp_path):
    for name in "ab":
        (tmp_path / f"region-{name}").rename(tmp_path / f"unmounted-{name}")
    assert backup.get(address).status_code == 503
    assert states(held) == {"a": "stored", "b": "stored"}
    assert backup.held_state(held) == "live"


# --- scrub and repair


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
    from storage import expire

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
    from storage import copies, expire

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
    import os

    from storage import expire

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
    import shutil

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
    import shutil

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


# --- reconciliation


def test_reconcile_agrees_with_itself(held):
    from storage.reconcile import reconcile

    report = reconcile()
    assert (report.keys, report.missing, report.unknown, report.accounts_mended) == (2, 0, [], 0)


def test_reconcile_finds_missing_bytes_and_leaves_unknown_ones(backup, held):
    from storage.reconcile import reconcile

    path_of(copy_in(held, "a")).unlink()
    stranger = path_of(copy_in(held, "b")).with_suffix("." + "0" * 32)
    stranger.write_bytes(b"whose?")
    report = reconcile()
    assert (report.missing, len(report.unknown)) == (1, 1)
    assert stranger.exists()
    assert states(held) == {"a": "missing", "b": "stored"}


def test_reconcile_removes_again_what_the_journal_says_was_purged(backup, maintain, held):
    from storage import expire
    from storage.reconcile import reconcile

    path = path_of(copy_in(held, "a"))
    content = path.read_bytes()
    maintain.delete(f"data/{held.name}")
    expire.purge(grace_ended_before=clock.now())
    expire.sweep(doomed_before=clock.now() + timedelta(days=1))
    path.write_bytes(content)
    assert reconcile().purged_again == 1
    assert not path.exists()


def test_reconcile_says_which_region_is_away(held, tmp_path):
    from storage.reconcile import reconcile

    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    report = reconcile()
    assert len(report.unavailable) == 1
    assert states(held) == {"a": "stored", "b": "stored"}


def test_the_store_of_a_region_that_is_no_longer_configured(held, settings):
    from storage.regions.base import RegionUnavailableError

    settings.REGIONS = {"a": settings.REGIONS["a"]}
    with pytest.raises(RegionUnavailableError, match="NIGHTSAFE_REGIONS"):
        store_of(Region.objects.get(alias="b"))
