"""A clock that jumps destroys nothing: only time that was seen to pass ends a grace."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Account
from backup_service import clock
from storage import tasks
from storage.database import elapsed_time
from storage.database.single_runner import RunnerLease
from storage.deletion import guard
from storage.models import (
    CanaryRun,
    Catalogue,
    ClockJump,
    Region,
)
from storage.monitoring import alarms
from tests.support.storage.older import passed
from tests.unit.storage.conftest import Caller, sha, some
from tests.unit.storage.deletion.test_guard import DAY, MONTH, keys, store, upkeep

pytestmark = pytest.mark.django_db


def test_a_clock_31_days_ahead_destroys_nothing(backup: Caller, maintain: Caller) -> None:
    kept, gone = some(), some()
    store(backup, kept)
    store(backup, gone)
    maintain.delete(f"data/{sha(gone)}")
    tasks.heartbeat()
    before = sorted(keys())
    with clock.travelled(MONTH):
        upkeep()
        assert Catalogue.objects.get().doubt == "clock"
        assert "doubt" in {one.key for one in alarms.present()}
        tasks.reconcile_after_jump()
        assert Catalogue.objects.get().doubt == ""
        upkeep()
        assert sorted(keys()) == before
    tasks.heartbeat()  # it was set right
    with passed(29 * DAY):
        upkeep()
        assert sorted(keys()) == before
    with passed(31 * DAY):
        upkeep()
    with passed(32 * DAY):
        upkeep()
    assert {key for key in keys() if sha(gone) in key} == set()
    assert backup.fetch(f"data/{sha(kept)}") == kept


def test_only_one_worker_reconciles_after_a_jump(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for every five minutes, and may take hours."""
    store(backup, some())
    tasks.heartbeat()
    steps = 0

    def meanwhile(hold: RunnerLease) -> None:
        nonlocal steps
        steps += 1
        tasks.reconcile_after_jump()
        renew(hold)

    renew = RunnerLease.renew
    monkeypatch.setattr(RunnerLease, "renew", meanwhile)
    with clock.travelled(MONTH):
        upkeep()
        tasks.reconcile_after_jump()
    assert steps == 2 + 2 + Account.objects.count()  # keys, rows: nobody came in between
    assert Catalogue.objects.get().doubt == ""


def test_a_clock_that_stays_ahead_ends_the_grace_when_it_has_passed(
    backup: Caller, maintain: Caller
) -> None:
    content = some()
    store(backup, content)
    maintain.delete(f"data/{sha(content)}")
    tasks.heartbeat()
    with clock.travelled(MONTH):
        upkeep()
        tasks.reconcile_after_jump()
    for days, copies in ((29, 2), (31, 2), (32, 0)):  # its bytes are doomed first
        with passed(MONTH + days * DAY):
            upkeep()
            assert len(keys()) == copies


def test_a_database_that_never_looked_takes_its_newest_stamp_for_the_last_moment(
    backup: Caller, maintain: Caller
) -> None:
    content = some()
    store(backup, content)
    maintain.delete(f"data/{sha(content)}")
    with clock.travelled(MONTH):
        upkeep()
    assert Catalogue.objects.get().doubt == "clock"
    assert len(keys()) == 2


def test_a_service_that_was_running_has_its_canary_to_tell(
    backup: Caller, maintain: Caller
) -> None:
    content = some()
    store(backup, content)
    with clock.travelled(MONTH):
        CanaryRun.objects.create(region=Region.objects.get(alias="a"), went_well=True, seconds=1)
        tasks.heartbeat()
    assert Catalogue.objects.get().doubt == ""


def test_small_steps_are_time(regions: list[Region]) -> None:
    tasks.heartbeat()
    for hours in (5, 10, 15):
        with clock.travelled(timedelta(hours=hours)):
            tasks.heartbeat()
    assert not ClockJump.objects.exists()
    assert Catalogue.objects.get().doubt == ""


def test_a_jump_is_written_down_once_whoever_sees_it(regions: list[Region]) -> None:
    tasks.heartbeat()
    with clock.travelled(MONTH):
        for _ in range(3):
            guard.check_clock()
    assert ClockJump.objects.count() == 1
    tasks.heartbeat()
    assert not ClockJump.objects.filter(to_at__gt=clock.now()).exists()


def at(day: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + day * DAY


@pytest.mark.parametrize(
    ("jumps", "expected"),
    [
        ([], 70),
        ([(80, 90)], 60),
        ([(80, 90), (50, 55)], 60),
        ([(80, 90), (55, 65)], 50),
        ([(0, 95)], -25),
        ([(10, 60)], 70),
        ([(90, 200)], 60),  # it is still going on
        ([(150, 200)], 70),  # of a clock that was ahead
        ([(99, 100), (97, 98), (95, 96)], 67),
        ([(60, 75), (80, 90)], 45),
    ],
)
def test_time_that_nobody_saw_does_not_count(jumps: list[tuple[int, int]], expected: int) -> None:
    for order in itertools.permutations(jumps):
        spans = [(at(start), at(end)) for start, end in order]
        assert elapsed_time.counted_back(at(100), 30 * DAY, spans) == at(expected)
