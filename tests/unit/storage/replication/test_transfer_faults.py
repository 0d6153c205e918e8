"""Transfers to and from a real store that fails: where it ends, and what it costs the others.

Three replicas are promised. One region does not do what it says, and the other two have to have
theirs at once; when it is well again, everything has to be everywhere and nothing else anywhere.
"""

from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from backup_service import clock
from storage.deletion import sweep
from storage.integrity import scrub
from storage.integrity.repair import repair
from storage.models import Attempt, Replica, StoredObject
from storage.monitoring import alarms
from storage.replication import leases, replicator
from storage.replication.replicator import replicate_due
from storage.stores import rate_limits
from storage.stores.registry import store_of
from storage.stores.s3.store import S3Store
from tests.support.storage.faulty_regions import (
    account,
    buckets,
    everywhere,
    fronts,
    regions,
    strays,
    ways,
)
from tests.support.storage.replicas import replica_in, states
from tests.support.stores.proxy import Fault, FaultyProxy
from tests.unit.storage.conftest import Caller, sha, some

__all__ = ["account", "buckets", "fronts", "regions", "ways"]
pytestmark = pytest.mark.django_db
OLD = b"what was there before"
SILENT = ["refuse-503", "reset", "hang"]  # what says nothing about the bytes
WRONG = ["cut", "swap", "lie", "refuse-500"]  # what says that these bytes are bad


@pytest.fixture
def contents(backup: Caller) -> list[bytes]:
    """Objects that are in `a` and wait to be copied to `b` and `c`."""
    made = [some(20_000) for _ in range(2)]
    for content in made:
        assert backup.put(content).status_code == 200
    return made


@pytest.fixture
def copied(contents: list[bytes]) -> list[bytes]:
    """Objects with three verified replicas."""
    assert replicate_due() == 2 * len(contents)
    scrub.scrub_all()
    return contents


def require_made_good(backup: Caller, contents: list[bytes]) -> None:
    """With every region well, all is where it should be after a while, and nothing besides."""
    for hours in (1, 3):
        with clock.travelled(timedelta(hours=hours)):
            replicate_due()
            scrub.scrub_due(byte_budget=1e9)
    assert everywhere(backup, contents)
    assert not Replica.objects.exclude(parked_at=None).exists()
    with clock.travelled(timedelta(days=32)):  # damaged bytes are kept aside for a month
        sweep.sweep()
    with clock.travelled(timedelta(days=33)):
        sweep.sweep()
    assert strays(backup.vault.public_id) == []
    assert everywhere(backup, contents)


# --- The region that a replica goes to


@pytest.mark.parametrize("fault", [*SILENT, "refuse-500", "refuse-507", "lie", "lost"])
def test_a_region_that_takes_nothing(
    backup: Caller, contents: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    fronts["b"].does(fault, to="PUT")
    assert replicate_due() == len(contents)
    assert fronts["b"].fault.seen
    for content in contents:
        obj = backup.stored_object(content)
        assert states(obj) == {"a": "stored", "b": "pending", "c": "stored"}
        assert replica_in(obj, "c").verified_at is not None
        waiting = replica_in(obj, "b")
        assert (waiting.tries, waiting.verified_at, waiting.parked_at) == (0, None, None)
    fronts["b"].mend()
    require_made_good(backup, contents)


def test_a_region_that_hangs_altogether_is_left_alone_for_a_while(
    backup: Caller, contents: list[bytes], fronts: dict[str, FaultyProxy]
) -> None:
    fronts["b"].fault = Fault(lambda method, path: "hang")
    assert replicate_due() == len(contents)
    asked = len(fronts["b"].fault.seen)
    assert asked >= 1
    for content in contents:
        assert states(backup.stored_object(content)) == {
            "a": "stored",
            "b": "pending",
            "c": "stored",
        }
    # Nothing was claimed for it, so nothing has to wait; but it is not asked at once again.
    assert set(Replica.objects.values_list("tries", "lease_token")) == {(0, "")}
    assert replicate_due() == 0
    assert len(fronts["b"].fault.seen) == asked
    fronts["b"].mend()
    replicator.resting.clear()
    require_made_good(backup, contents)


@pytest.mark.parametrize("fault", [*SILENT, *WRONG])
def test_a_region_whose_new_replicas_cannot_be_read_back(
    backup: Caller, contents: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    fronts["b"].does(fault, to="GET", instead=OLD)
    assert replicate_due() == len(contents)
    for content in contents:
        obj = backup.stored_object(content)
        assert states(obj) == {"a": "stored", "b": "pending", "c": "stored"}
    # A silent region is asked for no more than it takes at once; bad bytes are each object's own.
    tried = Attempt.objects.filter(region__alias="b", state="doomed").count()
    tries = set(Replica.objects.filter(region__alias="b").values_list("tries", flat=True))
    assert (tried, tries) == (len(contents), {0 if fault in SILENT else 1})
    fronts["b"].mend()
    require_made_good(backup, contents)


def test_one_object_that_a_region_never_gives_back_is_parked_alone(
    backup: Caller, contents: list[bytes], fronts: dict[str, FaultyProxy]
) -> None:
    poison = sha(contents[0])
    fronts["b"].fault = Fault(
        lambda method, path: "swap" if method == "GET" and poison in path else "", OLD
    )
    assert replicate_due() == 2 * len(contents) - 1
    for hours in range(1, leases.MOST_TRIES):
        with clock.travelled(timedelta(hours=2 * hours)):
            assert replicate_due() == 0
    scrub.scrub_all()
    assert everywhere(backup, contents[1:])
    assert states(backup.stored_object(contents[0])) == {
        "a": "stored",
        "b": "pending",
        "c": "stored",
    }
    parked = replica_in(backup.stored_object(contents[0]), "b")
    assert (parked.parked_at is None, parked.tries) == (False, leases.MOST_TRIES)
    assert "parked:b" in [found.key for found in alarms.present()]
    fronts["b"].mend()
    with clock.travelled(timedelta(hours=48)):
        assert repair(SERVICE).copies_made == 1
    require_made_good(backup, contents)


# --- The region that a replica comes from


@pytest.mark.parametrize("fault", ["refuse-503", "hang"])
def test_the_only_source_is_silent(
    backup: Caller, contents: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    fronts["a"].does(fault, to="GET")
    assert replicate_due() == 0
    for content in contents:
        assert states(backup.stored_object(content)) == {
            "a": "stored",
            "b": "pending",
            "c": "pending",
        }
    assert set(Replica.objects.values_list("tries", flat=True)) == {0}
    fronts["a"].mend()
    require_made_good(backup, contents)


@pytest.mark.parametrize("fault", ["cut", "swap"])
def test_the_only_source_gives_wrong_bytes_for_a_while(
    backup: Caller, contents: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    """They count as lost, which nothing is removed for, until somebody looks again."""
    fronts["a"].does(fault, to="GET", instead=OLD)
    assert replicate_due() == 0
    assert {backup.stored_object(content).state for content in contents} == {"lost"}
    assert not Replica.objects.filter(state="stored").exists()
    fronts["a"].mend()
    with clock.travelled(timedelta(hours=1)):
        assert repair(SERVICE).found_again == len(contents)
    require_made_good(backup, contents)


@pytest.fixture
def twice(backup: Caller, fronts: dict[str, FaultyProxy]) -> list[bytes]:
    """Objects that are in `a` and `b`, proved, and could not be copied to `c` yet."""
    made = [some(20_000) for _ in range(6)]
    for content in made:
        assert backup.put(content).status_code == 200
    fronts["c"].does("refuse-503", to="PUT")
    assert replicate_due() == len(made)
    scrub.scrub_all()
    fronts["c"].mend()
    return made


@pytest.mark.parametrize("fault", SILENT)
def test_a_silent_source_is_passed_over_for_a_good_one(
    backup: Caller, twice: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    """It is not asked for one object after the other either: each time may be a minute."""
    fronts["a"].does(fault, to="GET")
    with clock.travelled(timedelta(hours=1)):
        assert replicate_due() == len(twice)
    assert {tuple(states(backup.stored_object(content)).values()) for content in twice} == {
        ("stored",) * 3
    }
    assert 1 <= len(set(fronts["a"].fault.seen)) <= rate_limits.COPIES_AT_ONCE
    fronts["a"].mend()
    require_made_good(backup, twice)


@pytest.mark.parametrize("fault", WRONG)
def test_a_source_with_wrong_bytes_is_marked_and_another_one_serves(
    backup: Caller, twice: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    fronts["a"].does(fault, to="GET", instead=OLD)
    with clock.travelled(timedelta(hours=1)):
        replicate_due()
    for content in twice:
        found = states(backup.stored_object(content))
        assert (found["a"], found["b"], found["c"]) == ("corrupt", "stored", "stored")
        assert backup.fetch(f"data/{sha(content)}") == content
    assert not StoredObject.objects.filter(state="lost").exists()
    fronts["a"].mend()
    require_made_good(backup, twice)


# --- Reading back, and mending


@pytest.mark.parametrize("fault", ["refuse-503", "hang"])
def test_a_scrub_of_a_silent_region_says_nothing_about_its_replicas(
    backup: Caller, copied: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    before = dict(Replica.objects.values_list("pk", "verified_at"))
    fronts["b"].does(fault, to="GET")
    with clock.travelled(timedelta(days=31)):
        found = scrub.scrub_due(byte_budget=1e9)
        assert (found.damaged, found.unreachable) == (0, len(copied))
        assert all(backup.fetch(f"data/{sha(content)}") == content for content in copied)
    for replica in Replica.objects.select_related("region"):
        assert replica.state == "stored"
        assert (replica.verified_at == before[replica.pk]) == (replica.region.alias == "b")
    fronts["b"].mend()
    with clock.travelled(timedelta(days=31)):
        assert scrub.scrub_due(byte_budget=1e9).checked == len(copied)
    require_made_good(backup, copied)


@pytest.mark.parametrize("fault", ["cut", "swap"])
def test_a_scrub_that_is_given_wrong_bytes_for_a_while(
    backup: Caller, copied: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    fronts["b"].does(fault, to="GET", instead=OLD)
    found = scrub.scrub_all()
    assert (found.damaged, found.unreachable) == (len(copied), 0)
    assert replicate_due() == 0
    for content in copied:
        assert states(backup.stored_object(content)) == {
            "a": "stored",
            "b": "corrupt",
            "c": "stored",
        }
        assert backup.fetch(f"data/{sha(content)}") == content
    fronts["b"].mend()
    require_made_good(backup, copied)
    assert not Attempt.objects.filter(state="quarantined").exists()  # they were good all the time


@pytest.mark.parametrize("fault", ["refuse-503", "reset", "lie"])
def test_a_repair_into_a_region_that_takes_nothing(
    backup: Caller, copied: list[bytes], fronts: dict[str, FaultyProxy], fault: str
) -> None:
    """Bytes really are gone from b, and really other ones in c."""
    gone, altered = (replica_in(backup.stored_object(copied[0]), alias) for alias in "bc")
    assert gone.attempt is not None
    assert altered.attempt is not None
    store_of(gone.region).delete(gone.attempt.key)
    store = store_of(altered.region)
    assert isinstance(store, S3Store)
    store.general.again.put_object(
        Bucket=store.region.bucket, Key=str(altered.attempt.key), Body=OLD * 100
    )
    assert scrub.scrub_all().damaged == 2
    fronts["b"].does(fault, to="PUT")
    done = repair(SERVICE)
    assert (done.copies_made, done.waiting, done.lost) == (1, 1, 0)
    assert states(backup.stored_object(copied[0])) == {"a": "stored", "b": "missing", "c": "stored"}
    fronts["b"].mend()
    require_made_good(backup, copied)
