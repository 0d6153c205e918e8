"""The programs that are compared, each with a fresh repository in a folder."""

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from bench import measure
from bench.measure import Cost
from tests.support.gateway import Holder
from tests.support.peers import restics

PASSPHRASE = "not a secret, only a benchmark"
BORG_VERSION = "1.4.5"


class Peer(ABC):
    """A backup program and its repository below `place`."""

    name = ""
    verifies_what_is_there = True
    """Whether a restore reads what is in the target before it fetches it again."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.repository = place / "repository"
        self.environment: dict[str, str] = {}

    @abstractmethod
    def version(self) -> str:
        """What the program calls itself."""

    @abstractmethod
    def init_command(self) -> list[str]:
        """Make the repository."""

    @abstractmethod
    def backup_command(self, source: str, number: int) -> list[str]:
        """Back up `source`, a name in the working directory."""

    @abstractmethod
    def restore_command(self, target: Path, number: int) -> list[str]:
        """Restore the backup with this number; the working directory is `target`."""

    def list_command(self) -> list[str]:
        """List the snapshots of a vault far away; empty where the program cannot reach one."""
        return []

    def far_environment(self, holder: Holder) -> dict[str, str]:
        """What tells the program of such a vault."""
        return {}

    def init(self) -> None:
        """Start with a new, empty repository and empty caches."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        measure.run(self.init_command(), environment=self.environment, folder=self.place)

    def backup(self, source: Path, number: int, *, freshen: bool = True) -> Cost:
        """Back up one file or folder; `freshen` as for `measure.run`."""
        command = self.backup_command(source.name, number)
        return measure.run(
            command, environment=self.environment, folder=source.parent, freshen=freshen
        )

    def restore(self, target: Path, number: int) -> Cost:
        """Restore into a folder, empty or not."""
        target.mkdir(parents=True, exist_ok=True)
        command = self.restore_command(target, number)
        return measure.run(command, environment=self.environment, folder=target)

    def size(self) -> int:
        """Bytes of all files of the repository."""
        return sum(f.stat().st_size for f in self.repository.rglob("*") if f.is_file())


class Nightsafe(Peer):
    """This project's agent."""

    name = "nightsafe"
    program = Path(sys.executable).with_name("nightsafe")

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.start: Path | None = None
        self.binary = str(self.program)
        _compile(self.program)
        self.environment = {
            "NIGHTSAFE_REPOSITORY": str(self.repository),
            "NIGHTSAFE_PASSWORD": PASSPHRASE,
            "NIGHTSAFE_CONFIG_DIR": str(place / "config"),
            "NIGHTSAFE_CACHE_DIR": str(place / "cache"),
        }

    def version(self) -> str:
        return _said([self.binary, "--version"])

    def init_command(self) -> list[str]:
        return [self.binary, "init"]

    def init(self) -> None:
        """Start with an empty vault: with a copy of `start` where there is one."""
        if self.start is None:
            super().init()
            return
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.start, self.repository)

    def backup_command(self, source: str, number: int) -> list[str]:
        return [self.binary, "backup", source]

    def restore_command(self, target: Path, number: int) -> list[str]:
        return [self.binary, "restore", "latest", "--target", str(target)]

    def list_command(self) -> list[str]:
        return [self.binary, "snapshots", "--json"]

    def far_environment(self, holder: Holder) -> dict[str, str]:
        return {
            "NIGHTSAFE_REPOSITORY": holder.url,
            "NIGHTSAFE_USERNAME": holder.username,
            "NIGHTSAFE_SECRET": holder.secret,
        }


class Before(Nightsafe):
    """Another build of the agent, so that a change can be held against what was there before."""

    name = "before"

    def __init__(self, place: Path, program: Path) -> None:
        self.program = program
        super().__init__(place)


def share_start(*builds: Nightsafe) -> None:
    """Let builds begin every case with copies of one empty vault, made here by the first of them.

    What a key costs is measured anew by every `init` and differs by more than builds may.
    """
    first = builds[0]
    first.init()
    start = first.place.with_name("empty-vault")
    shutil.rmtree(start, ignore_errors=True)
    first.repository.rename(start)
    for build in builds:
        build.start = start


class Restic(Peer):
    """Today's stock restic, where `make peers` fetched it; format 2, with its own defaults."""

    name = "restic"

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.binary = next(reversed(restics()), "")
        self.environment = {
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD": PASSPHRASE,
            "RESTIC_CACHE_DIR": str(place / "cache"),
        }

    def version(self) -> str:
        return _said([self.binary, "version"]).split(" compiled")[0]

    def init_command(self) -> list[str]:
        return [self.binary, "init"]

    def backup_command(self, source: str, number: int) -> list[str]:
        return [self.binary, "backup", source]

    def restore_command(self, target: Path, number: int) -> list[str]:
        return [self.binary, "restore", "latest", "--target", str(target)]

    def list_command(self) -> list[str]:
        return [self.binary, "snapshots", "--json"]

    def far_environment(self, holder: Holder) -> dict[str, str]:
        return {"RESTIC_REPOSITORY": holder.restic}


class Borg(Peer):
    """Borg from PyPI in an environment of its own, with zstd level 3 as the other two have."""

    name = "borg"
    verifies_what_is_there = False

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.binary = str(place.parent / "borg-environment" / "bin" / "borg")
        self.environment = {
            "BORG_REPO": str(self.repository),
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_BASE_DIR": str(place),
        }

    def version(self) -> str:
        return _said([self.binary, "--version"])

    def init_command(self) -> list[str]:
        return [self.binary, "init", "--encryption", "repokey-blake2"]

    def backup_command(self, source: str, number: int) -> list[str]:
        return [self.binary, "create", "--compression", "zstd,3", f"::{number}", source]

    def restore_command(self, target: Path, number: int) -> list[str]:
        return [self.binary, "extract", f"::{number}"]


def available(scratch: Path, before: Path | None = None) -> list[Peer]:
    """The programs that are here; Borg is installed below `scratch` when it is not.

    `before` is the `nightsafe` of another build, in an environment of its own.
    """
    ours = Nightsafe(scratch / "nightsafe")
    peers: list[Peer] = [ours, Restic(scratch / "restic")]
    if before:
        theirs = Before(scratch / "before", before)
        share_start(ours, theirs)
        peers.insert(1, theirs)
    borg = Borg(scratch / "borg")
    if not os.path.exists(borg.binary) and not _install_borg(scratch / "borg-environment"):
        print(
            f"borg is left out: borgbackup {BORG_VERSION} cannot be installed here. On Debian: apt "
            "install gcc python3-dev pkg-config libssl-dev liblz4-dev libzstd-dev libxxhash-dev "
            "libacl1-dev",
            flush=True,
        )
    else:
        peers.append(borg)
    for peer in [peer for peer in peers if not shutil.which(getattr(peer, "binary", ""))]:
        print(f"{peer.name} is left out: it is not installed here", flush=True)
        peers.remove(peer)
    return peers


def _install_borg(folder: Path) -> bool:
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False)
    wanted = [*pip, "--disable-pip-version-check", f"borgbackup=={BORG_VERSION}"]
    return made.returncode == 0 and subprocess.run(wanted, check=False).returncode == 0


def _compile(program: Path) -> None:
    """Compile an agent's sources, as pip does where it installs.

    Here, where it is worked on, this may have to be told.
    """
    python = str(program.with_name("python"))
    find = "import nightsafe, os; print(os.path.dirname(nightsafe.__file__))"
    subprocess.run([python, "-m", "compileall", "-q", _said([python, "-c", find])], check=True)


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
