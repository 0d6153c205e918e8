"""When replicas are read back: new ones soon, old ones steadily, none later than its period."""

import random
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from accounts.audit import SERVICE
from backup_service import clock
from storage.integrity import scrub
from storage.integrity.repair import repair
from storage.integrity.scrub import ScrubResult
from storage.management.commands.scrub import Bar
from storage.models import Heartbeat, Replica
from storage.objects.verify import PIECE
from storage.replication.replicator import replicate_due
from tests.support.storage.replicas import replica_in
from tests.unit.storage.conftest import Caller, damage, path_of, sha, some

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def contents(backup: Caller) -> list[bytes]:
    """Forty objects with two replicas each; those in region b were read back already."""
    made = [some(1000) for _ in range(40)]
    for content in made:
        backup.put(content)
    replicate_due()
    return made


def due_now(after: timedelta) -> ScrubResult:
    with clock.travelled(after):
        return scrub.scrub_for(seconds=30)


def test_new_replicas_are_read_back_at_once(contents: list[bytes]) -> None:
    assert Replica.objects.filter(verified_at=None).count() == 40
    assert due_now(MINUTE).checked == 40
    assert not Replica.objects.filter(verified_at=None).exists()
    assert due_now(2 * MINUTE).checked == 0


def test_a_budget_ends_it_and_the_next_goes_on(contents: list[bytes]) -> None:
    first = scrub.scrub_due(byte_budget=10_000)
    assert 10 <= first.checked < 40
    assert scrub.scrub_due(byte_budget=1e9).checked == 40 - first.checked
    assert scrub.scrub_due(byte_budget=1e9).checked == 0
    with clock.travelled(timedelta(days=31)):
        assert scrub.scrub_due(byte_budget=1e9).checked == 80


def test_old_replicas_come_round_steadily_within_their_period(contents: list[bytes]) -> None:
    """Half a day at a time: no heap on any day, and nothing is ever unread for 30 days."""
    due_now(MINUTE)
    a_day: dict[int, int] = {}
    for step in range(2, 2 * 65):
        when = step * timedelta(hours=12)
        day = step // 2
        a_day[day] = a_day.get(day, 0) + due_now(when).checked
        oldest = Replica.objects.order_by("verified_at").values_list("verified_at", flat=True)[0]
        with clock.travelled(when):
            assert oldest is not None
            assert clock.now() - oldest < timedelta(days=30), step
    assert max(a_day.values()) <= 8  # 80 replicas in 24 days
    assert sum(a_day.values()) > 80 * 2


def test_a_long_pause_is_caught_up_with(contents: list[bytes]) -> None:
    due_now(MINUTE)
    assert due_now(timedelta(days=45)).checked == 80


def test_a_rate_and_a_time_limit_hold_it_back(contents: list[bytes], settings: Settings) -> None:
    settings.SCRUB_RATES = {"a": "10k", "b": "10k"}
    begun = time.monotonic()
    result = scrub.scrub_for(seconds=0.5)
    assert 0 < result.checked < 40
    assert time.monotonic() - begun < 5
    settings.SCRUB_RATES = {}
    assert due_now(MINUTE).checked == Replica.objects.count() / 2 - result.checked


def test_a_region_that_is_away_is_left_for_later(contents: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "region-a").rename(tmp_path / "unmounted")
    assert due_now(MINUTE).checked == 0
    assert Replica.objects.filter(state="stored").count() == 80
    (tmp_path / "unmounted").rename(tmp_path / "region-a")
    assert due_now(2 * MINUTE).checked == 40


def test_it_leaves_a_sign_of_life(contents: list[bytes]) -> None:
    due_now(MINUTE)
    assert Heartbeat.objects.filter(name="scrub").exists()


def test_a_thousand_flipped_bits_are_found_and_mended(
    backup: Caller, chance: random.Random
) -> None:
    """Anywhere in stored files, but never in both replicas of an object."""
    contents = [chance.randbytes(chance.randrange(3, 4000)) for _ in range(50)]
    for content in contents:
        backup.put(content)
    replicate_due()
    flips = 1000
    for number, content in enumerate(contents):
        replica = replica_in(backup.stored_object(content), chance.choice("ab"))
        flipped = bytearray(content)
        for bit in chance.sample(range(8 * len(content)), 20):
            flipped[bit // 8] ^= 1 << bit % 8
            flips -= 1
        assert damage(replica, bytes(flipped)).stat().st_size == len(content), number
    assert flips == 0
    result = scrub.scrub_all()
    assert (result.checked, result.damaged) == (100, 50)
    assert repair(SERVICE).copies_made == 50
    assert scrub.scrub_all() == ScrubResult(checked=100, bytes=2 * sum(map(len, contents)))
    for content in contents:
        for alias in "ab":
            assert path_of(replica_in(backup.stored_object(content), alias)).read_bytes() == content
    assert all(backup.fetch(f"data/{sha(content)}") == content for content in contents[::5])


def test_harm_in_any_piece_of_a_large_replica_is_found(backup: Caller) -> None:
    """Large ones beside small ones, read in turn: changed in the middle, cut, or grown."""
    sizes = [3 * PIECE + 5, 2 * PIECE, PIECE, PIECE - 1, 2 * PIECE + 1, 100, 3 * PIECE]
    contents = [some(size) for size in sizes]
    for content in contents:
        backup.put(content)
    replicate_due()
    assert scrub.scrub_all() == ScrubResult(checked=14, bytes=2 * sum(sizes))
    first, second, third, _, last, _, _ = contents
    flipped = bytearray(first)
    flipped[PIECE + PIECE // 2] ^= 1
    hurt = {
        replica_in(backup.stored_object(first), "a"): bytes(flipped),
        replica_in(backup.stored_object(second), "b"): second[:PIECE],
        replica_in(backup.stored_object(third), "b"): third + b"x",
        replica_in(backup.stored_object(last), "a"): last[:-1],
    }
    for replica, content in hurt.items():
        damage(replica, content)
    assert scrub.scrub_all().damaged == len(hurt)
    assert set(Replica.objects.filter(state=Replica.State.CORRUPT)) == hurt.keys()


def test_the_command_reads_everything_and_says_so(
    contents: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("scrub", "--all", "--json")
    assert '"checked": 80' in capsys.readouterr().out


def test_the_bar_tells_how_far_it_is() -> None:
    bar = Bar(200, 4_000_000)
    line = bar.line(ScrubResult(checked=50, bytes=1_000_000, damaged=2), 0.5)
    assert line.startswith("[######..................]  25%  50 of 200 replicas  2 MB/s")
    assert "2 damaged" in line
    assert "100%" in Bar(0, 0).line(ScrubResult(), 0.0)
