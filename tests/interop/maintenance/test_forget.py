"""Forgetting: the same rules keep the same snapshots as with stock restic, for the same reasons."""

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nightsafe.maintenance.calendar_span import Span
from nightsafe.repository.repository import Repository

from tests.support.interop.generated_snapshots import (
    DAY,
    HOUR,
    ZONES,
    Ours,
    ask_restic,
    clocks_of,
    fill,
    filters,
    new_repository,
    restic_json,
    restic_version,
    save,
    seed,
    tag_list,
)

pytestmark = pytest.mark.interop
ROUNDS, POLICIES = 3, 5
PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
_REASON = re.compile(
    r"has tags \[[^]]*\]|within [0-9ymdh]+|(?:oldest )?(?:last|hourly|daily|weekly|monthly|yearly)"
    r" (?:snapshot|within [0-9ymdh]+)"
)
_BLOCK = re.compile(r"^[0-9a-f]{8} .*\n(?: .*\n|\n(?= ))*", re.MULTILINE)

Group = tuple[str, tuple[str, ...], tuple[str, ...]]
Verdict = tuple[Counter[tuple[str, tuple[str, ...]]], Counter[str]]
"""How many of each time and reasons are kept, and how many of each time go: which of those of the
same time is of no account."""


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSAFE_CONFIG_DIR", str(tmp_path / "config-dir"))
    monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(tmp_path / "cache-dir"))


@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_same_are_kept_for_the_same_reasons(tmp_path: Path, number: int) -> None:
    chance = seed(f"forget {number}")
    repository = new_repository(tmp_path / "r")
    with clocks_of(chance.choice(ZONES)):
        fill(repository, chance, chance.choice((1, 2, 40, 90)))
        for _ in range(POLICIES):
            options = [*policy(chance), *filters(chance), *grouping(chance)]
            compare(repository, Ours(repository), options)


@pytest.mark.parametrize(
    "options",
    [
        ["--keep-yearly", "50"],
        ["--keep-weekly", "3"],
        ["--keep-within-weekly", "1y"],
        ["--keep-within-yearly", "9y", "--keep-last", "1"],
        ["--keep-daily", "unlimited"],
        ["--keep-hourly", "unlimited", "--keep-monthly", "12"],
    ],
)
def test_a_rule_that_is_not_used_up_keeps_the_oldest(tmp_path: Path, options: list[str]) -> None:
    repository = new_repository(tmp_path / "r")
    fill(repository, random.Random(7), 60)
    compare(repository, Ours(repository), [*options, "--group-by", ""])


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"])
def test_lengths_of_time_reach_over_changes_of_the_clock(tmp_path: Path, zone: str) -> None:
    chance = seed(f"clocks {zone}")
    repository = new_repository(tmp_path / "r")
    newest = time.time_ns() - chance.randrange(300 * DAY)
    months = chance.sample(range(1, 14), 3)
    with clocks_of(zone):
        moments = [newest]
        for back in months:
            start = Span(months=back).before(newest, zone=0)
            moments += [start + part * HOUR // 2 for part in range(-5, 6)]
        for moment in moments:
            ahead = time.localtime(moment // 10**9).tm_gmtoff
            save(repository, moment, ahead, (), chance, ["one"], [("/home",)])
        for back in months:
            compare(repository, Ours(repository), ["--keep-within", f"{back}m"])


def test_compact_tells_the_same_in_fewer_words(tmp_path: Path) -> None:
    chance = seed("compact")
    repository = new_repository(tmp_path / "r")
    fill(repository, chance, 40)
    ours = Ours(repository)
    for number in ("1", "4", "100"):
        options = ["--keep-last", number, "--group-by", "", "--dry-run", "--compact"]
        theirs = ask_restic(repository, "forget", *options).stdout
        status, out, err = ours.run("forget", *options)
        assert status == 0, err
        told = Counter(re.findall(r"^(keep|forget) +[0-9a-f]{8}  ", out, re.MULTILINE))
        counted = dict(re.findall(r"^(keep|remove) (\d+) snapshots", theirs, re.MULTILINE))
        assert told["keep"] == int(counted["keep"])
        assert told["forget"] == int(counted.get("remove", 0))
        for text in (theirs, out):
            assert not re.search(r"/home|/etc|/srv|last snapshot", text), text


def policy(chance: random.Random) -> list[str]:
    options: list[str] = []
    for name in ("last", *PERIODS):
        if chance.random() < 0.25:
            number = chance.choice(("0", "1", "2", "3", "7", "30", "300", "unlimited"))
            options += [f"--keep-{name}", number]
    for name in ("within", *(f"within-{period}" for period in PERIODS)):
        if chance.random() < 0.2:
            options += [f"--keep-{name}", span(chance)]
    if chance.random() < 0.3:
        options += ["--keep-tag", tag_list(chance)]
    return options or ["--keep-last", "2"]


def span(chance: random.Random) -> str:
    units = chance.sample("ymdh", chance.randint(1, 4))
    return "".join(f"{chance.choice((0, 1, 2, 5, 13, 40))}{unit}" for unit in units)


def grouping(chance: random.Random) -> list[str]:
    by = chance.choice((None, "", "host", "paths", "tags", "host,tags", "path,tag,hosts"))
    return [] if by is None else ["--group-by", by]


def compare(repository: Repository, ours: Ours, options: list[str]) -> None:
    print("forget", *map(repr, options))
    knows_oldest = restic_version() >= (0, 17)
    many = "unlimited" if knows_oldest else "100000"  # which 0.14 has no word for
    asked = [many if one == "unlimited" else one for one in options]
    theirs = ask_restic(repository, "forget", "--dry-run", *asked, check=False)
    status, out, err = ours.run("forget", "--dry-run", *options)
    if theirs.returncode:
        assert ("no policy" in theirs.stderr) or ("refusing to delete last" in theirs.stderr)
        assert status == 1, out
        return
    if status and not knows_oldest:
        # Neither of which restic refused then.
        assert ("keep nothing" in err) or ("No rule" in err)
        return
    assert status == 0, err
    found = restic_json(repository, "forget", "--dry-run", *asked) or []
    reported = ours.json("forget", "--dry-run", *options)
    expected, got = dict(theirs_by_group(found)), dict(ours_by_group(reported["groups"]))
    if not knows_oldest:
        got = {group: without_oldest(verdict) for group, verdict in got.items()}
    assert got == expected
    assert_text_agrees(theirs.stdout, found, out, reported["groups"], knows_oldest=knows_oldest)


def theirs_by_group(groups: list[Any]) -> Iterator[tuple[Group, Verdict]]:
    for group in groups:
        yield (
            (group["host"], tuple(group["paths"] or ()), tuple(group["tags"] or ())),
            (
                Counter((one["time"], reasons) for one, reasons in kept_by(group)),
                Counter(one["time"] for one in group["remove"] or ()),
            ),
        )


def kept_by(group: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """What stock restic keeps, and why; the reasons name no snapshot before 0.18."""
    for one, reason in zip(group["keep"] or (), group["reasons"] or (), strict=True):
        assert one["time"] == reason["snapshot"]["time"]
        yield one, tuple(reason["matches"])


def ours_by_group(groups: list[Any]) -> Iterator[tuple[Group, Verdict]]:
    for group in groups:
        yield (
            (group["host"] or "", tuple(group["paths"] or ()), tuple(group["tags"] or ())),
            (
                Counter((one["time"], tuple(one["reasons"])) for one in group["keep"]),
                Counter(one["time"] for one in group["remove"]),
            ),
        )


def without_oldest(verdict: Verdict) -> Verdict:
    """What was kept before the rule that the oldest is."""
    kept: Counter[tuple[str, tuple[str, ...]]] = Counter()
    gone = verdict[1].copy()
    for (when, reasons), count in verdict[0].items():
        others = tuple(reason for reason in reasons if not reason.startswith("oldest "))
        if others:
            kept[when, others] += count
        else:
            gone[when] += count
    return kept, gone


def assert_text_agrees(
    theirs: str, found: list[Any], ours: str, reported: list[Any], *, knows_oldest: bool
) -> None:
    """The texts tell each one's reasons, as the JSON does."""
    expected = Counter(reasons for group in found for _, reasons in kept_by(group))
    shown = Counter(filter(None, (tuple(_REASON.findall(block)) for block in blocks(theirs))))
    assert shown == expected
    lines = {line.split()[1]: line for line in ours.splitlines() if line.startswith("keep ")}
    mine = {one["id"][:8]: one["reasons"] for group in reported for one in group["keep"]}
    assert lines.keys() == mine.keys()
    for name, reasons in mine.items():
        assert lines[name].endswith(f"({', '.join(reasons)})")
    if knows_oldest:
        assert Counter(tuple(_REASON.findall(line)) for line in lines.values()) == expected


def blocks(text: str) -> Iterator[str]:
    """The lines of a table that belong to a snapshot, for each."""
    return (found.group() for found in _BLOCK.finditer(text))
