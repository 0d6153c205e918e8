"""The agent and stock restic, given the same arguments in the same folder: what each stores."""

import contextlib
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nightsafe
import pytest
from nightsafe.backend.local import LocalBackend
from nightsafe.cli import main
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import walk

from tests.interop.conftest import AGENT, PASSPHRASE
from tests.support import repositories

Entries = dict[bytes, tuple[str, int]]


@dataclass
class Outcome:
    """What a backup came to: its exit status, and the snapshot with all its entries, if any.

    `entries` gives kind and size of each path in the snapshot; `said` is what was printed.
    """

    status: int
    snapshot: Snapshot | None = None
    entries: Entries = field(default_factory=dict)
    said: str = ""


class Pair:
    """Both programs at one repository, which is quick to open.

    With `root` both see that folder as the root of the file system; `own` are the names in it
    that were there before a test began. `within` is a command that both are started by.
    """

    def __init__(
        self, place: Path, binary: str, root: Path | None = None, within: Sequence[str] = ()
    ) -> None:
        self.place = place
        self.within = list(within)
        self.root = root or Path("/")
        self.version = version_of(binary)
        self._confined = root is not None
        self._restic = "/restic" if self._confined else binary
        repositories.make(LocalBackend(str(place)), PASSPHRASE)
        self._repository = Repository.open(LocalBackend(str(place)), PASSPHRASE)
        self.own: list[str] = []
        if self._confined:
            install(binary, self.root)
            os.mkdir(f"{place}-cache")
            self.own = os.listdir(self.root)
        self._address = "/" + os.path.relpath(place, self.root)

    def by_restic(self, *arguments: str | bytes, here: Path, stdin: bytes = b"") -> Outcome:
        """Stock restic's backup with these arguments, in the folder `here`."""
        before = self._names()
        environment = os.environb | {
            b"RESTIC_REPOSITORY": os.fsencode(self._address),
            b"RESTIC_PASSWORD": PASSPHRASE.encode(),
            b"PWD": os.fsencode(here),
            # Where no source leads: a pack in the making is a file there.
            **({b"TMPDIR": os.fsencode(f"{self._address}-cache")} if self._confined else {}),
        }
        done = subprocess.run(
            [*self.within, self._restic, "--no-cache", "backup", *arguments],
            cwd=None if self._confined else here,
            env=environment,
            input=stdin,
            capture_output=True,
            check=False,
            preexec_fn=(lambda: enter(self.root, here)) if self._confined else None,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        return self._outcome(done.returncode, before, said)

    def by_us(
        self,
        *arguments: str,
        here: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        defaults: bool = False,
    ) -> Outcome:
        """The agent's backup with these arguments; with what it leaves out by default if asked."""
        before = self._names()
        options = ["--workers", "0", *([] if defaults else ["--no-default-excludes"])]
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setenv("PWD", str(here))
            patch.setenv("NIGHTSAFE_REPOSITORY", self._address)
            patch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
            patch.setenv("NIGHTSAFE_CACHE_DIR", f"{self._address}-cache")
            command = ["backup", *options, *arguments]
            if self._confined:
                status, said = run_confined(self.root, here, command)
            elif self.within:
                started = [*self.within, str(AGENT), *command]
                done = subprocess.run(
                    started, cwd=here, capture_output=True, text=True, check=False
                )
                status, said = done.returncode, done.stdout + done.stderr
            else:
                patch.chdir(here)
                try:
                    status = main(command)
                except SystemExit as left:  # what makes no sense on a command line
                    status = int(left.code or 0)
                said = "".join(capsys.readouterr())
        return self._outcome(status, before, said)

    def _names(self) -> set[str]:
        return set(os.listdir(self.place / "snapshots"))

    def _outcome(self, status: int, before: set[str], said: str) -> Outcome:
        made = self._names() - before
        if not made:
            return Outcome(status, said=said)
        (snapshot,) = (s for s in self._repository.load_snapshots().sound if s.id in made)
        self._repository.load_index()
        entries: Entries = {
            found.path: (found.node.type, found.node.size)
            for found in walk(BlobReader(self._repository), snapshot.tree)
        }
        return Outcome(status, snapshot, entries, said)


def assert_equal(theirs: Outcome, ours: Outcome, told: object) -> None:
    """The same entries of the same sources, and the same exit status.

    What is not there, or fits no path, restic passes over, in part or always, with exit 0; ours
    then says that the backup is not whole.
    """
    text = f"{told!a}\n{theirs.said}\n{ours.said}"
    expected = 3 if theirs.status == 0 and "skipping" in theirs.said else theirs.status
    assert ours.status == expected, text
    assert sorted(ours.entries.items()) == sorted(theirs.entries.items()), text
    if theirs.snapshot is not None and ours.snapshot is not None:
        assert ours.snapshot.paths == theirs.snapshot.paths, text


def install(binary: str, root: Path) -> None:
    """Put a program, with the libraries that it needs, where it runs when `root` is the root."""
    shutil.copy(binary, root / "restic")
    said = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(/\S+) \(0x", said):
        place = root / library[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)


def enter(root: Path, here: Path) -> None:
    """Make a folder the root of this process, for good."""
    os.chroot(root)
    os.chdir(here)


def run_confined(root: Path, here: Path, command: list[str]) -> tuple[int, str]:
    """Run the agent in a copy of this process that sees `root` as the root.

    It can load nothing there, so everything is loaded before.
    """
    for module in pkgutil.walk_packages(nightsafe.__path__, "nightsafe."):
        importlib.import_module(module.name)
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            status = 99
            try:
                os.environ["TMPDIR"] = tempfile.tempdir = "/tmp"
                enter(root, here)
                with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                    status = main(command)
                    said.flush()
            except BaseException:
                traceback.print_exc(file=said)
                said.flush()
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return status, said.read()


def version_of(binary: str) -> tuple[int, ...]:
    """The version of a stock restic, such as (0, 18, 0)."""
    said = subprocess.run([binary, "version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"restic (\d+)\.(\d+)\.(\d+)", said)
    assert found is not None, said
    return tuple(map(int, found.groups()))


def shown(arguments: Sequence[str]) -> str:
    """Arguments as one would type them, for a failing test."""
    return " ".join(map(repr, arguments))
