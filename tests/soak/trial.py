"""A vault whose clients are killed at random moments, and what must hold afterwards."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop.conftest import AGENT, PASSPHRASE, portrait, storage_of
from tests.support import repositories
from tests.support.gateway import Holder

_LARGE_FILES, _LARGE_SIZE = 12, 3_000_000
_SMALL_FILES = 300
_SLOWEST = 120


class BrokenPledgeError(Exception):
    """Something was lost, or is left lying about, after kills."""


@dataclass
class Trial:
    """A source that changes, and an agent that is killed while it works on its vault."""

    holder: Holder
    place: Path
    restic: str
    chance: random.Random
    kills: int = 0
    finished: int = 0
    seconds: float = 1.5
    _states: list[dict[bytes, tuple[object, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = self.place / "source"
        self.source.mkdir(parents=True)
        for number in range(_LARGE_FILES):
            self._write(f"large-{number}", _LARGE_SIZE)
        for number in range(_SMALL_FILES):
            self._write(f"small/{number % 17}/{number}", self.chance.randrange(0, 20_000))
        with closing(storage_of(self.holder)) as storage:
            repositories.make(storage, PASSPHRASE)  # so that it is killed at its work, not before

    def _write(self, name: str, size: int) -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.chance.randbytes(size))

    def change(self) -> None:
        """Change some of the source, so that there is something to send."""
        for number in self.chance.sample(range(_LARGE_FILES), 4):
            self._write(f"large-{number}", _LARGE_SIZE)
        for number in self.chance.sample(range(_SMALL_FILES), 30):
            self._write(f"small/{number % 17}/{number}", self.chance.randrange(0, 20_000))

    # The agent

    def _start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(AGENT), *arguments],
            env={
                **os.environ,
                "NIGHTSAFE_REPOSITORY": self.holder.url,
                "NIGHTSAFE_USERNAME": self.holder.username,
                "NIGHTSAFE_SECRET": self.holder.secret,
                "NIGHTSAFE_PASSWORD": PASSPHRASE,
                "NIGHTSAFE_CONFIG_DIR": str(self.place / "config"),
                "NIGHTSAFE_CACHE_DIR": str(self.place / "cache"),
                "NIGHTSAFE_PATIENCE": "60",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def agent(self, *arguments: str) -> str:
        """Run a command to its end; BrokenPledgeError unless it ends with 0."""
        begun = time.monotonic()
        with self._start(*arguments) as process:
            out, err = process.communicate(timeout=_SLOWEST)
        if process.returncode:
            raise BrokenPledgeError(f"nightsafe {arguments} said {process.returncode}: {err}{out}")
        self.seconds = max(0.3, time.monotonic() - begun)
        return out

    def killed(self, *arguments: str) -> None:
        """Run a command and kill it, or one of its processes, at a random moment."""
        process = self._start(*arguments)
        try:
            process.communicate(timeout=self.chance.uniform(0.05, self.seconds * 1.05))
            self.finished += 1
        except subprocess.TimeoutExpired:
            self._kill(process.pid)
            process.communicate(timeout=_SLOWEST)
            self.kills += 1

    def _kill(self, session: int) -> None:
        members = _members(session)
        if self.chance.random() < 0.3:
            members = [self.chance.choice(members)]
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    # What must hold

    def back_up(self) -> None:
        """A run that is left alone; what it saw is what a restore must give."""
        self.agent("backup", "-q", str(self.source))
        self._states = [portrait(self.source)]

    def verify(self) -> None:
        """Sound to stock restic, nothing lying about, and the newest snapshot as it was."""
        checked = json.loads(self.agent("check", "--json").splitlines()[-1])
        if not checked["sound"] or checked["unindexed_packs"]:
            raise BrokenPledgeError(f"check found {checked}")
        self._restic("check", "--read-data")
        target = self.place / "restored"
        self.agent("restore", "-q", "latest", "--target", str(target))
        if portrait(Path(f"{target}{self.source}")) != self._states[-1]:
            raise BrokenPledgeError("a restore differs from what was backed up")
        shutil.rmtree(target)

    def _restic(self, *arguments: str) -> None:
        done = subprocess.run(
            [self.restic, "--no-cache", *arguments],
            env={
                **os.environ,
                "RESTIC_REPOSITORY": self.holder.restic,
                "RESTIC_PASSWORD": PASSPHRASE,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BrokenPledgeError(f"restic {arguments}: {done.stderr}{done.stdout}")


def _members(session: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.getsid(int(name)) == session:
                found.append(int(name))
        except ProcessLookupError:
            continue
    return found or [session]


def kill_backups(trial: Trial, count: int) -> None:
    """Kill `count` backups; clean runs between, and after the last."""
    trial.back_up()
    rest = 5
    while trial.kills < count:
        trial.change()
        trial.killed("backup", "-q", str(trial.source))
        rest -= 1
        if not rest:
            trial.back_up()
            rest = 5
    trial.back_up()
    trial.verify()


def kill_prunes(trial: Trial, count: int) -> None:
    """Kill `count` prunes, each with something to take away; then one that is left alone."""
    forget = ("forget", "-q", "--yes", "--keep-last", "1", "--prune")
    prune = ("prune", "-q", "--max-unused", "0")
    trial.back_up()
    while trial.kills < count:
        trial.change()
        trial.back_up()
        trial.seconds = 2.5
        trial.killed(*(forget if trial.chance.random() < 0.5 else prune))
    trial.agent(*forget)
    trial.agent(*prune)
    trial.verify()
