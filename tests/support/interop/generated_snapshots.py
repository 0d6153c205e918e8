"""Snapshots as chance would have them, and the commands that are asked about them."""

import contextlib
import io
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest import mock

from nightsafe.backend.base import ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.cli import main
from nightsafe.repofile.go_json import format_second
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.repository import Repository
from nightsafe.repository.unlock import open_key

from tests.support import repositories
from tests.support.programs import program

PASSPHRASE = "one passphrase for both"
HOUR = 3600 * 10**9
DAY = 24 * HOUR
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata")
"""With and without changes of the clock, by an hour and by half of one."""
TAGS = ("a", "b", "two words", "ü", "A")
HOSTS = ("one", "two", "Zwei.local")
PATHS = ("/home", "/etc", "/srv/data", "/home/Me")
STEPS = (0, 1, 10**9, HOUR // 2, HOUR, DAY // 3, DAY, DAY, 7 * DAY, 9 * DAY, 31 * DAY, 200 * DAY)


def seed(where: str) -> random.Random:
    """Chance, drawn anew for each run and printed; NIGHTSAFE_SEED repeats one."""
    number = int(os.environ.get("NIGHTSAFE_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"NIGHTSAFE_SEED={number} ({where})")
    return random.Random(f"{number} {where}")


@contextlib.contextmanager
def clocks_of(zone: str) -> Iterator[None]:
    """Clocks here show the time of a zone; also those of programs that are started."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    try:
        _take_zone()
        yield
    finally:
        os.environ.pop("TZ")
        os.environ.update({"TZ": before} if before is not None else {})
        _take_zone()


def _take_zone() -> None:
    time.tzset()
    format_second.cache_clear()


def new_repository(folder: Path) -> Repository:
    """An empty one that both programs open."""
    place = LocalBackend(str(folder))
    repositories.make(place, PASSPHRASE)
    return Repository.of(open_key(place, PASSPHRASE))


def fill(repository: Repository, chance: random.Random, count: int) -> None:
    """Store snapshots as they gather over years: bursts, gaps, equal times, some of the future.

    What has the same time has the same zone and tags, for stock restic puts such in no order.
    """
    hosts, paths = chance.sample(HOSTS, chance.randint(1, 3)), chance.sample(PATHS, 3)
    sets = [tuple(chance.sample(paths, chance.randint(1, 3))) for _ in range(3)]
    moment = when = time.time_ns() - chance.randrange(400 * DAY)
    zone, tags = _zone(chance, moment), _tags(chance)
    for number in range(count):
        if step := chance.choice(STEPS):
            moment -= step + (chance.randrange(HOUR) if chance.random() < 0.3 else 0)
            when = moment if chance.random() > 0.02 else time.time_ns() + chance.randrange(9 * DAY)
            zone, tags = _zone(chance, when), _tags(chance)
        save(repository, when if number else moment, zone, tags, chance, hosts, sets)


def _zone(chance: random.Random, when: int) -> int:
    """Seconds ahead of UTC: mostly as clocks here were then."""
    local = time.localtime(when // 10**9).tm_gmtoff
    return chance.choice((local, local, local, 0, 7200, 3600, -(11 * 3600 + 1800), 20_700))


def _tags(chance: random.Random) -> tuple[str, ...]:
    return tuple(chance.sample(TAGS, chance.choice((0, 0, 1, 1, 2, 3))))


def save(
    repository: Repository,
    when: int,
    zone: int,
    tags: tuple[str, ...],
    chance: random.Random,
    hosts: Sequence[str],
    paths: Sequence[tuple[str, ...]],
) -> None:
    """Store one, as whoever has that clock would."""
    snapshot = Snapshot(
        time=0,
        tree=chance.randbytes(32),
        paths=chance.choice(paths),
        hostname=chance.choice(hosts),
        tags=tags,
    )
    seconds, fraction = divmod(when, 10**9)
    stamp = (datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)).astimezone(
        timezone(timedelta(seconds=zone))
    )
    text = stamp.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction:09d}".rstrip("0").rstrip("."))
    text += stamp.strftime("%z")[:3] + ":" + stamp.strftime("%z")[3:] if zone else "Z"
    encoded = re.sub(rb'"time":"[^"]*"', f'"time":"{text}"'.encode(), snapshot.encode())
    repository.save_text(ObjectKind.SNAPSHOT, encoded)


def tag_list(chance: random.Random) -> str:
    """As people write it: with blanks around commas, empty, of a tag that nothing has."""
    tags = chance.sample((*TAGS, "", "nowhere"), chance.choice((1, 1, 2)))
    return chance.choice((",", " , ", ", ")).join(tags)


def filters(chance: random.Random) -> list[str]:
    options: list[str] = []
    if chance.random() < 0.3:
        options += ["--host", chance.choice((*HOSTS, "nobody"))]
        options += ["--host", chance.choice(HOSTS)] if chance.random() < 0.3 else []
    if chance.random() < 0.3:
        options += ["--tag", tag_list(chance)]
        options += ["--tag", tag_list(chance)] if chance.random() < 0.3 else []
    if chance.random() < 0.3:
        for path in chance.sample(PATHS, chance.choice((1, 1, 2))):
            options += ["--path", path]
    return options


def ask_restic(
    repository: Repository, *arguments: str, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    """What stock restic says to the repository."""
    done = subprocess.run(
        [program("restic"), "--no-cache", *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("RESTIC_")}
        | {"RESTIC_PASSWORD": PASSPHRASE, "RESTIC_REPOSITORY": repository.storage.location},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr + done.stdout
    return done


def restic_version() -> tuple[int, int]:
    """The version of the stock restic that is asked, such as (0, 18)."""
    said = subprocess.run([program("restic"), "version"], capture_output=True, text=True).stdout
    major, minor = re.search(r"restic (\d+)\.(\d+)", said).groups()  # type: ignore[union-attr]
    return int(major), int(minor)


def restic_json(repository: Repository, *arguments: str) -> Any:
    """The JSON of its last line that holds any; None for none."""
    said = ask_restic(repository, *arguments, "--json").stdout
    lines = [line for line in said.splitlines() if line[:1] in ("{", "[") or line == "null"]
    return json.loads(lines[-1]) if lines else None


class Ours:
    """The agent's command line, in this process."""

    def __init__(self, repository: Repository) -> None:
        self._environment = {
            "NIGHTSAFE_PASSWORD": PASSPHRASE,
            "NIGHTSAFE_REPOSITORY": repository.storage.location,
        }

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and errors."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self._environment),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = main(list(arguments))
        return status, out.getvalue(), err.getvalue()

    def json(self, *arguments: str) -> Any:
        """What it prints with --json, on its only line."""
        status, out, err = self.run(*arguments, "--json")
        assert status == 0, err
        return json.loads(out)
