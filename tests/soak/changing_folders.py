"""Folders where files that never change stand beside everything that comes, goes and fails.

Everything is real: other threads make, remove and swap entries while the agent runs as a process,
some names fail through a file system of FUSE, and some paths are longer than any call takes.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from nightsafe.backend.local import LocalBackend
from nightsafe.maintenance.check import check
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import walk
from nightsafe.restorer.restore import restore

from tests.hardship.conftest import Mount
from tests.support.repositories import CHEAP

STEADY = 300
FAULTS = ("@eio-stat", "@eio-list", "@eio-open", "@eio-read", "@eio-xattr", "@short")
PASSPHRASE = "correct horse battery staple"
_LONGEST = 4096
_PAUSE = 0.005


class BrokenPledgeError(Exception):
    """Something is missing without a word, or cannot be read."""


@dataclass
class ChangingFolders:
    """Two sources, one of which fails in places, and a repository.

    `steady` are contents of files that never change, by path; `failing` are paths that always
    stand there, and of which something may not be readable.
    """

    place: Path
    mount: Mount
    chance: random.Random
    steady: dict[bytes, bytes] = field(default_factory=dict)
    failing: set[bytes] = field(default_factory=set)
    moved: int = 0

    def __post_init__(self) -> None:
        self.plain = self.place / "plain"
        self.plain.mkdir()
        self.repository = Repository.create(
            LocalBackend(str(self.place / "vault")), PASSPHRASE, params=CHEAP
        )
        for number in range(STEADY):
            self._make_steady(number)
        for number, tag in enumerate(FAULTS * 2):
            self._make_failing(f"{self.chance.choice('adfz')}{number}{tag}", tag)
        self._make_too_long()

    def _real(self, source: Path) -> Path:
        """Where a source can be changed: behind the mount, not through it."""
        return self.mount.folder if source == self.mount.path else source

    def _any_folder(self) -> Path:
        return Path(f"part-{self.chance.randrange(5)}", f"deeper-{self.chance.randrange(3)}")

    def _make_steady(self, number: int) -> None:
        source = self.chance.choice((self.plain, self.mount.path))
        inner = self._any_folder() / f"file-{number:03}"
        path = self._real(source) / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        content = self.chance.randbytes(self.chance.choice((0, 10, 2000, 2000, 2000, 600_000)))
        path.write_bytes(content)
        self.steady[os.fsencode(source / inner)] = content

    def _make_failing(self, name: str, tag: str) -> None:
        inner = self._any_folder() / name
        path = self.mount.folder / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        self.failing.add(os.fsencode(self.mount.path / inner))
        if tag in ("@eio-list", "@eio-xattr"):
            path.mkdir()
            (path / "inside").write_bytes(b"inside")
            self.failing.add(os.fsencode(self.mount.path / inner / "inside"))
        else:
            path.write_bytes(self.chance.randbytes(self.chance.choice((3000, 5 << 20))))

    def _make_too_long(self) -> None:
        """A chain of folders down to where a path can just be used, and entries beyond."""
        path = os.fsencode(self.plain)
        fd = os.open(path, os.O_RDONLY)
        while len(path) < _LONGEST - 10:
            name = b"d" * min(200, _LONGEST - 9 - len(path))
            os.mkdir(name, dir_fd=fd)
            inner = os.open(name, os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd, path = inner, os.path.join(path, name)
        for name in (b"a folder of a long name", b"y folder of a long name"):
            os.mkdir(name, dir_fd=fd)
            self.failing.add(os.path.join(path, name))
        for name in (b"b", b"z", b"b file of a long name"):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=fd))
            self.failing.add(os.path.join(path, name))
        os.close(fd)

    # Coming and going

    def churn(self, is_over: threading.Event, seed: int) -> None:
        """Make, remove and swap entries beside the steady ones, until it is over."""
        chance = random.Random(seed)
        while not is_over.wait(_PAUSE):
            source = chance.choice((self.plain, self.mount.folder))
            place = source / f"part-{chance.randrange(5)}" / f"deeper-{chance.randrange(3)}"
            path = place / f"{chance.choice('adfgz')}-comes-and-goes-{chance.randrange(20)}"
            try:
                self._move(path, chance)
                self.moved += 1
            except OSError:
                continue  # the other thread was there first

    def _move(self, path: Path, chance: random.Random) -> None:
        if path.is_dir():
            shutil.rmtree(path)
            if chance.random() < 0.3:
                path.write_bytes(b"a file now")
        elif path.exists():
            path.unlink()
            if chance.random() < 0.5:
                path.mkdir()
        else:
            path.mkdir()
            for number in range(chance.randrange(4)):
                (path / f"inside-{number}").write_bytes(chance.randbytes(100))

    # Backing up

    def back_up(self, *, churners: int = 2) -> None:
        """One backup amidst it all; BrokenPledgeError if the snapshot is not as it must be."""
        is_over = threading.Event()
        threads = [
            threading.Thread(target=self.churn, args=(is_over, self.chance.getrandbits(32)))
            for _ in range(churners)
        ]
        for thread in threads:
            thread.start()
        try:
            with self.mount.failing():
                status, named = self._run()
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        self._judge(status, named)

    def _run(self) -> tuple[int, set[bytes]]:
        """The status of a backup, and the paths that it named."""
        command = [str(Path(sys.executable).with_name("nightsafe")), "backup", "--json"]
        if self.chance.random() < 0.2:
            command += ["--workers", str(self.chance.randrange(3))]
        if self.chance.random() < 0.1:
            shutil.rmtree(self.place / "cache", ignore_errors=True)
        done = subprocess.run(
            [*command, str(self.plain), str(self.mount.path)],
            env={
                **os.environ,
                "NIGHTSAFE_REPOSITORY": str(self.place / "vault"),
                "NIGHTSAFE_PASSWORD": PASSPHRASE,
                "NIGHTSAFE_CACHE_DIR": str(self.place / "cache"),
                "NIGHTSAFE_CONFIG_DIR": str(self.place / "config"),
            },
            capture_output=True,
            check=False,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        if not events or events[-1].get("event") != "summary":
            raise BrokenPledgeError(f"a backup ended with {done.returncode}: {done.stderr!r}")
        issues = [event for event in events if event["event"] == "issue"]
        return done.returncode, {issue["path"].encode() for issue in issues}

    def _judge(self, status: int, named: set[bytes]) -> None:
        self.repository.load_index()
        newest = max(self.repository.load_snapshots().sound, key=lambda s: s.time)
        reader = BlobReader(self.repository)
        # A tree that cannot be read is raised here.
        nodes = {found.path: found.node for found in walk(reader, newest.tree)}
        if missing := [path for path in self.steady if path not in nodes]:
            raise BrokenPledgeError(f"{len(missing)} files are missing, such as {missing[0]!r}")
        if wrong := [p for p, content in self.steady.items() if nodes[p].size != len(content)]:
            raise BrokenPledgeError(f"{len(wrong)} files have another size, such as {wrong[0]!r}")
        for path in self.failing - set(nodes):
            above = {path[: at + 1].rstrip(b"/") for at, sign in enumerate(path) if sign == 47}
            if not named & {path, *above}:
                raise BrokenPledgeError(f"nothing was said of {path!r}, which is missing")
        if status != 3:
            raise BrokenPledgeError(f"the status is {status}, though something is missing")

    def prove(self) -> None:
        """Read everything that is stored, and restore what never changed."""
        if errors := check(self.repository, read_data=True).errors:
            raise BrokenPledgeError(f"the repository is not sound: {errors[0]}")
        newest = max(self.repository.load_snapshots().sound, key=lambda s: s.time)
        target = self.place / "target"
        restore(self.repository, newest, os.fsencode(target))
        for path, content in self.steady.items():
            with open(os.fsencode(target) + path, "rb") as file:
                if file.read() != content:
                    raise BrokenPledgeError(f"{path!r} came back with other bytes")
        shutil.rmtree(target)
