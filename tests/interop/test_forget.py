"""Forgetting: the same rules keep the same snapshots as with stock restic."""

import json
import os
import random
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from nightsafe.forget import Filter, Policy, Span, judge, parse_grouping
from nightsafe.gojson import format_time
from nightsafe.keys import KdfParams
from nightsafe.localfolder import LocalFolder
from nightsafe.repository import Repository
from nightsafe.snapshot import Snapshot
from nightsafe.storage import ObjectKind

from tests.agent.tools import program

pytestmark = pytest.mark.interop
PASSPHRASE = "one passphrase for both"
DAY = 86_400 * 10**9
ZONES = ("Z", "+02:00", "-11:30")


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Snapshots as they gather over years: bursts, gaps, ties, one of the future."""
    folder = LocalFolder(str(tmp_path_factory.mktemp("forget") / "r"))
    repository = Repository.create(folder, PASSPHRASE, params=KdfParams(n=1 << 14, r=8, p=1))
    dice = random.Random(20_260_101)
    moment = time.time_ns() - 3 * DAY
    for number in range(70):
        moment -= dice.choice((1, 10**9, 3600 * 10**9, DAY // 3, DAY, 9 * DAY, 40 * DAY))
        when = time.time_ns() + 5 * DAY if number == 3 else moment
        save(repository, when, dice)
    return repository


def save(repository: Repository, when: int, dice: random.Random) -> None:
    zone = dice.choice(ZONES)
    shift = {"Z": 0, "+02:00": 2 * 3600, "-11:30": -(11 * 3600 + 1800)}[zone] * 10**9
    snapshot = Snapshot(
        time=0,
        tree=bytes(32),
        paths=dice.choice((("/home",), ("/etc", "/home"), ("/home", "/etc"))),
        hostname=dice.choice(("one", "two")),
        tags=dice.choice(((), ("a",), ("b", "a"), ("b",))),
    )
    stamp = format_time(when + shift).removesuffix("Z") + zone
    text = snapshot.encode().replace(b"1970-01-01T00:00:00Z", stamp.encode())
    repository.save_text(ObjectKind.SNAPSHOT, text)


def ask_restic(repository: Repository, *arguments: str) -> dict[frozenset[str], frozenset[str]]:
    """Which snapshots stock restic would keep, and which not, for each group."""
    done = subprocess.run(
        [program("restic"), "--no-cache", "forget", "--dry-run", "--json", *arguments],
        env=os.environ
        | {"RESTIC_PASSWORD": PASSPHRASE, "RESTIC_REPOSITORY": repository.storage.location},
        capture_output=True,
        text=True,
        check=True,
    )
    groups = json.loads(done.stdout.splitlines()[0])
    return {ids(g["keep"]): ids(g["remove"]) for g in groups}


def ids(snapshots: list[dict[str, str]] | None) -> frozenset[str]:
    return frozenset(snapshot["id"] for snapshot in snapshots or ())


def ask_us(
    repository: Repository, policy: Policy, by: Sequence[str], chosen: Filter
) -> dict[frozenset[str], frozenset[str]]:
    sound = [s for s in repository.load_snapshots().sound if chosen.takes(s)]
    verdicts = judge(sound, policy, by=by, now=time.time_ns())
    return {frozenset(s.id for s in v.keep): frozenset(s.id for s in v.remove) for v in verdicts}


CASES = [
    ({"last": 3}, ["--keep-last", "3"]),
    ({"hourly": 5}, ["--keep-hourly", "5"]),
    ({"daily": 7, "weekly": 4}, ["--keep-daily", "7", "--keep-weekly", "4"]),
    ({"monthly": 12}, ["--keep-monthly", "12"]),
    ({"yearly": 50}, ["--keep-yearly", "50"]),
    ({"weekly": 300}, ["--keep-weekly", "300"]),
    ({"tags": (("a",),)}, ["--keep-tag", "a"]),
    ({"tags": (("a", "b"), ("c",))}, ["--keep-tag", "a,b", "--keep-tag", "c"]),
    ({"within": Span.parse("40d")}, ["--keep-within", "40d"]),
    ({"within": Span.parse("1y2m3d4h")}, ["--keep-within", "1y2m3d4h"]),
    ({"within_daily": Span.parse("2m")}, ["--keep-within-daily", "2m"]),
    ({"within_hourly": Span.parse("9d")}, ["--keep-within-hourly", "9d"]),
    (
        {"within_weekly": Span.parse("1y"), "within_monthly": Span.parse("3y")},
        ["--keep-within-weekly", "1y", "--keep-within-monthly", "3y"],
    ),
    (
        {"within_yearly": Span.parse("10y"), "last": 1},
        ["--keep-within-yearly", "10y", "--keep-last", "1"],
    ),
]


@pytest.mark.parametrize(("rules", "options"), CASES, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("by", ["host,paths", ""])
def test_the_same_are_kept(
    repository: Repository, rules: dict[str, object], options: list[str], by: str
) -> None:
    theirs = ask_restic(repository, "--group-by", by, *options)
    ours = ask_us(repository, Policy(**rules), parse_grouping(by), Filter())  # type: ignore[arg-type]
    assert ours == theirs


@pytest.mark.parametrize(
    ("chosen", "options", "by"),
    [
        (Filter(hosts=("one",)), ["--host", "one"], "tags"),
        (Filter(tags=(("a", "b"),)), ["--tag", "a,b"], "host"),
        (Filter(tags=(("",),)), ["--tag", ""], "host"),
        (Filter(paths=("/home", "/etc")), ["--path", "/home", "--path", "/etc"], "paths"),
    ],
)
def test_the_same_are_considered(
    repository: Repository, chosen: Filter, options: list[str], by: str
) -> None:
    theirs = ask_restic(repository, "--keep-last", "2", "--group-by", by, *options)
    assert ask_us(repository, Policy(last=2), parse_grouping(by), chosen) == theirs


def test_the_folder_is_untouched(repository: Repository) -> None:
    assert len(list(Path(repository.storage.location, "snapshots").iterdir())) == 70
