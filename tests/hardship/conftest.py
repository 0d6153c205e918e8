"""Ordinary users, mounted file systems that fail, and 8-bit locales."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nightsafe.backend.local import LocalBackend

from tests.support import repositories
from tests.support.hardship.ordinary import GID, TEAM, UID, Runner
from tests.support.programs import leave_out, program

__all__ = ["GID", "TEAM", "UID"]

PASSPHRASE = "correct horse battery staple"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
_LOCALE = {*ASCII, "LOCPATH"}  # a process looks at these when it starts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is of one stage."""
    for item in items:
        if "hardship" in item.path.parts:
            item.add_marker(pytest.mark.hardship)


@dataclass
class Mount:
    """A folder, and the same through a file system that fails."""

    folder: Path
    path: Path
    switch: Path

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Names with a tag fail for the length of a `with` block."""
        self.switch.touch()
        try:
            yield
        finally:
            self.switch.unlink()


@dataclass
class OrdinaryAgent:
    """The agent in a process of an ordinary user with a second group."""

    home: Path
    repository: Path
    runner_for: Callable[[dict[str, str]], Runner]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str | bytes, cwd: Path | None = None, expect: int = 0) -> str:
        """Run a command and return what it says on both streams; its status must be `expect`."""
        born = {name: text for name, text in self.environment.items() if name in _LOCALE}
        done = self.runner_for(born).run(
            arguments,
            {
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(self.home),
                "NIGHTSAFE_REPOSITORY": str(self.repository),
                "NIGHTSAFE_PASSWORD": PASSPHRASE,
                "NIGHTSAFE_CONFIG_DIR": str(self.home / "config"),
                "NIGHTSAFE_CACHE_DIR": str(self.home / "cache"),
                **self.environment,
            },
            cwd=cwd or self.home,
            together=True,
        )
        text = done.stdout.decode(errors="backslashreplace")
        assert done.returncode == expect, text
        return text


@pytest.fixture(scope="session")
def runner_for() -> Iterator[Callable[[dict[str, str]], Runner]]:
    """Make what runs the agent in a process that was born with some variables, or take the one
    that was made for another test."""
    made: dict[frozenset[tuple[str, str]], Runner] = {}
    with ExitStack() as stack:

        def find(born: dict[str, str]) -> Runner:
            key = frozenset(born.items())
            if key not in made:
                made[key] = stack.enter_context(Runner(born))
            return made[key]

        yield find


@contextmanager
def open_to_all() -> Iterator[Path]:
    """A folder where others can get to.

    It is not in pytest's own: whenever pytest begins somewhere, it closes that to all others.
    """
    with tempfile.TemporaryDirectory(prefix="open-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        place.chmod(0o755)
        for folder in place.parents:
            if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode & 0o777 | 0o011)
        yield place


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder that belongs to the ordinary user, who can get there."""
    with open_to_all() as place:
        made = place / "own"
        made.mkdir(mode=0o755)
        give(made)
        yield made


def give(path: Path, gid: int = GID) -> None:
    """Let a file or folder, and what is below, belong to the ordinary user."""
    if os.geteuid() != 0:
        return
    for one in (path, *path.rglob("*")):
        os.chown(one, UID, gid, follow_symlinks=False)


@pytest.fixture
def ordinary(own_folder: Path, runner_for: Callable[[dict[str, str]], Runner]) -> OrdinaryAgent:
    """The agent as an ordinary user, with a repository made."""
    home = own_folder / "home"
    home.mkdir()
    give(home)
    repository = own_folder / "repository"
    repositories.make(LocalBackend(str(repository)), PASSPHRASE)
    give(repository)
    return OrdinaryAgent(home, repository, runner_for)


@pytest.fixture
def mount(own_folder: Path) -> Iterator[Callable[..., Mount]]:
    """Make mounts that fail by name; the arguments are operations that are refused for ever."""
    with ExitStack() as stack:
        yield lambda *refused: stack.enter_context(mounted(own_folder, refused))


@contextmanager
def mounted(place: Path, refused: tuple[str, ...]) -> Iterator[Mount]:
    """Mount a file system that fails by name, and that knows nothing of some operations."""
    program("fusermount3")
    if not os.path.exists("/dev/fuse"):
        reason = "there is no /dev/fuse here, so no file system of our own can be mounted"
        leave_out(reason)
    number = len(list(place.glob("mount-*")))
    made = Mount(place / f"real-{number}", place / f"mount-{number}", place / f"switch-{number}")
    made.folder.mkdir()
    made.path.mkdir()
    give(made.folder)
    command = [
        sys.executable,
        "-m",
        "tests.support.hardship.failing_fs",
        str(made.folder),
        str(made.path),
    ]
    command += ["--switch", str(made.switch), "--refuse", *refused]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(200):
                if os.path.ismount(made.path) or server.poll() is not None:
                    break
                time.sleep(0.05)
            assert os.path.ismount(made.path), "the file system was not mounted"
            yield made
        finally:
            subprocess.run([program("fusermount3"), "-u", "-z", str(made.path)], check=False)
            server.wait(timeout=20)


@pytest.fixture(scope="session")
def latin1() -> Iterator[dict[str, str]]:
    """An environment in which text has eight bits, as on computers set up long ago."""
    name = "de_DE.ISO-8859-1"
    with open_to_all() as place:
        made = subprocess.run(
            [program("localedef"), "-f", "ISO-8859-1", "-i", "de_DE", str(place / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        if not (place / name).exists():
            reason = "no locale of eight bits can be made (Debian: apt install locales)"
            reason = f"{reason}: {made.stderr}"
            leave_out(reason)
        yield {"LOCPATH": str(place), "LC_ALL": name, "PYTHONUTF8": "0"}


@pytest.fixture
def stock_restic(own_folder: Path) -> Path:
    """A restic that an ordinary user can start, wherever it is installed."""
    copied = own_folder / "restic"
    shutil.copy(program("restic"), copied)
    return copied
