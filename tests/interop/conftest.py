"""Stock restic, our agent, a gateway, and a folder with one of everything."""

import json
import os
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.rest_url import Credential

from tests.support import repositories
from tests.support.gateway import Holder, alice, gateway, holder
from tests.support.programs import program

__all__ = ["alice", "gateway", "holder"]
PASSPHRASE = "correct horse battery staple"
Done = subprocess.CompletedProcess[str]
AGENT = Path(sys.executable).with_name("nightsafe")


@dataclass
class Restic:
    """Stock restic at one vault."""

    binary: str
    holder: Holder
    cache: Path

    def run(
        self,
        *arguments: str,
        check: bool = True,
        cwd: Path | None = None,
        passphrase: str = PASSPHRASE,
    ) -> Done:
        done = subprocess.run(
            [self.binary, "--cache-dir", str(self.cache), *arguments],
            env={
                **os.environ,
                "RESTIC_REPOSITORY": self.holder.restic,
                "RESTIC_PASSWORD": passphrase,
            },
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def init(self) -> None:
        """As `run("init")`, with a key that is quick to derive."""
        with closing(storage_of(self.holder)) as storage:
            repositories.make(storage, PASSPHRASE, by_restic=True)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout or "null")


@dataclass
class Agent:
    """The nightsafe command at one vault."""

    holder: Holder
    home: Path

    def init(self) -> None:
        """As `run("init")`, with a key that is quick to derive."""
        with closing(storage_of(self.holder)) as storage:
            repositories.make(storage, PASSPHRASE)

    def run(
        self, *arguments: str, check: bool = True, cwd: Path | None = None, **extra: str
    ) -> Done:
        done = subprocess.run(
            [str(AGENT), *arguments],
            cwd=cwd,
            env={
                **os.environ,
                "NIGHTSAFE_REPOSITORY": self.holder.url,
                "NIGHTSAFE_USERNAME": self.holder.username,
                "NIGHTSAFE_SECRET": self.holder.secret,
                "NIGHTSAFE_PASSWORD": PASSPHRASE,
                "NIGHTSAFE_CONFIG_DIR": str(self.home / "config"),
                "NIGHTSAFE_CACHE_DIR": str(self.home / "cache"),
                "NIGHTSAFE_STATE_DIR": str(self.home / "state"),
                **extra,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done


def storage_of(holder: Holder) -> RestBackend:
    """The holder's vault, as plain storage."""
    return RestBackend(holder.url, Credential(holder.username, holder.secret), patience=30)


def find_restic() -> str:
    return program("restic")


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Caches live apart from the tree, whose parents' times are part of its snapshots."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def restic(holder: Holder, home: Path) -> Restic:
    return Restic(find_restic(), holder, home / "restic-cache")


@pytest.fixture
def agent(holder: Holder, home: Path) -> Agent:
    return Agent(holder, home / "agent")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with one of everything that a backup must bring back."""
    top = tmp_path / "tree"
    (top / "deep" / "er" / "still").mkdir(parents=True)
    (top / "hello.txt").write_text("hello\n")
    (top / "empty").touch()
    (top / "empty-folder").mkdir()
    (top / "large").write_bytes(os.urandom(20_000_000))
    (top / "zeros").write_bytes(bytes(6_000_000))
    (top / "repeats").write_bytes(os.urandom(100_000) * 50)
    (top / "deep" / "er" / "still" / "here").write_bytes(os.urandom(5000))
    (top / "link").symlink_to("hello.txt")
    (top / "dangling").symlink_to("nowhere/at all")
    (top / "hard").hardlink_to(top / "hello.txt")
    for name in ["späte Grüße", "日本語", 'quo"te\\back', "<&>", " spaces ", "new\nline", "-dash"]:
        (top / name).write_text(name)
    with open(os.fsencode(top) + b"/not-\xff\xfe-utf8", "wb") as file:
        file.write(b"odd name")
    os.mkfifo(top / "fifo")
    (top / "private").write_text("secret")
    (top / "private").chmod(0o600)
    (top / "sticky").mkdir(mode=0o755)
    (top / "sticky").chmod(0o1777)
    (top / "setuid").write_text("x")
    (top / "setuid").chmod(0o4755)
    os.setxattr(top / "hello.txt", "user.colour", b"night blue")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(top)
        listener.bind("socket")
        os.chdir(here)
    os.utime(top / "hello.txt", ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))
    os.utime(top / "link", ns=(10**18, 10**18), follow_symlinks=False)
    os.utime(top / "deep", ns=(1_234_567_890_000_000_000, 1_234_567_890_000_000_000))
    return top


def contents(folder: Path) -> dict[str, bytes]:
    """What is in the files that a test made to send, wherever they lie below `folder`."""
    return {path.name: path.read_bytes() for path in folder.rglob("file-*")}


def portrait(top: Path) -> dict[bytes, tuple[object, ...]]:
    """Return everything about a folder that a restore must bring back, by relative name."""
    found: dict[bytes, tuple[object, ...]] = {}
    start = os.fsencode(top)
    links: dict[int, bytes] = {}
    for folder, folders, files in os.walk(start):
        for name in sorted([*folders, *files]):
            path = os.path.join(folder, name)
            found[os.path.relpath(path, start)] = _look(path, start, links)
    return found


def _look(path: bytes, start: bytes, links: dict[int, bytes]) -> tuple[object, ...]:
    import stat

    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    content: bytes | str = b""
    if stat.S_ISREG(info.st_mode):
        with open(path, "rb") as file:
            content = file.read()
    elif stat.S_ISLNK(info.st_mode):
        content = os.readlink(path)
    first = links.setdefault(info.st_ino, os.path.relpath(path, start))
    mode = stat.S_IMODE(info.st_mode) if not stat.S_ISLNK(info.st_mode) else 0
    xattrs = {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in os.listxattr(path, follow_symlinks=False)
    }
    owner = (info.st_uid, info.st_gid)
    shared = first if info.st_nlink > 1 and stat.S_ISREG(info.st_mode) else b""
    return (kind, mode, owner, info.st_mtime_ns, content, shared, tuple(xattrs.items()))
