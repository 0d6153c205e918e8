"""`python -m tools.older_build COMMIT ...`: what an older build leaves, for the upgrade test.

Each commit is built in a folder of its own and lives for two minutes there, as root on Linux:

- Its service is started, an account and a vault are made, and its agent logs in.
- Its agent backs up a folder of a small ext4 image, mounted at /mnt where nobody else sees it, so
  that device, inodes, times and path can be the same years later. A minute after some changes it
  backs up again: of younger files no agent believes what stat says.
- Both regions have everything, and the service stops.

Data directory, agent's folders, image and what only the maker knows go into one archive,
`tests/vectors/older-build-COMMIT.tar.xz`. Its keys and passphrase are known to everybody.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from backup_service.env import BASE_DIR
from tests.support.disks import loop_device, mounted
from tests.support.journeys import older_builds

EMAIL = "alice@example.org"
PATIENCE = 300.0
IMAGE_BYTES = 1 << 20
OLD_ENOUGH = 70  # seconds
_LEFT_OUT = ("logs", "beat", "valkey", "mail", "reserve", "launcher.lock")
_RANDOM = random.Random(2026)


class OlderBuild:
    """One commit's programs, and the folders that they work on."""

    def __init__(self, commit: str, scratch: Path) -> None:
        self.source, self.home = scratch / "source", scratch / "home"
        self.data_dir, self.disk = scratch / "data", scratch / "disk"
        self.image = scratch / "image"
        for folder in (self.source, self.home, self.disk):
            folder.mkdir()
        archive = [
            "git",
            "-C",
            str(BASE_DIR),
            "archive",
            "--output",
            f"{scratch}/source.tar",
            commit,
        ]
        subprocess.run(archive, check=True)
        with tarfile.open(scratch / "source.tar") as tar:
            tar.extractall(self.source, filter="data")
        _run("make", "install", f"PYTHON={sys.executable}", cwd=self.source)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: text for name, text in os.environ.items() if not name.startswith("NIGHTSAFE_")
        }
        kept.pop("DATABASE_URL", None)
        return kept | {
            "DATA_DIR": str(self.data_dir),
            "PORT": "0",
            "TZ": older_builds.ZONE,
            "NIGHTSAFE_PASSWORD": older_builds.PASSPHRASE,
            "NIGHTSAFE_CONFIG_DIR": str(self.home / "config"),
            "NIGHTSAFE_CACHE_DIR": str(self.home / "cache"),
        }

    def serve(self) -> "subprocess.Popen[bytes]":
        """Start the service and wait until it is ready."""
        output = self.data_dir.with_name("output")
        with output.open("wb") as file:
            process = subprocess.Popen(
                [self._program("python"), "-m", "backup_service.embedded", "serve"],
                env=self._environment(),
                cwd=self.source,
                stdout=file,
                stderr=file,
            )
        _wait(lambda: "Ctrl-C to stop." in output.read_text() or process.poll() is not None)
        if process.poll() is not None:
            raise SystemExit(f"The service has ended:\n{output.read_text()}")
        return process

    def manage(self, *arguments: str) -> Any:
        """Run manage.py and return its JSON."""
        said = self._in_source(self._program("python"), "manage.py", *arguments, "--json")
        return json.loads(said)

    def agent(self, *arguments: str, stdin: str = "") -> str:
        """Run the agent where the image is mounted at the place for it; return what it says."""
        script = f'mount --bind "{self.disk}" {older_builds.PLACE} && exec "$@"'
        within = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]
        return self._in_source(*within, self._program("nightsafe"), *arguments, stdin=stdin)

    def back_up(self) -> str:
        """Back up, and return the snapshot's name."""
        said = self.agent(*older_builds.BACKUP).splitlines()
        name: str = json.loads(said[-1])["snapshot_id"]
        return name

    def is_complete(self) -> bool:
        """Whether both regions hold the same, and nothing waits."""
        regions = self.manage("region", "status")["regions"]
        waiting = any(one["pending"] or one["corrupt"] for one in regions)
        return len({one["objects"] for one in regions}) == 1 and not waiting

    def _program(self, name: str) -> str:
        return str(self.source / ".venv" / "bin" / name)

    def _in_source(self, *command: str, stdin: str = "") -> str:
        return _run(*command, cwd=self.source, env=self._environment(), stdin=stdin)


def make(commit: str) -> Path:
    """Build a commit, let it live, and pack what it leaves; return the archive's path."""
    with tempfile.TemporaryDirectory(prefix="older-build-") as folder:
        build = OlderBuild(commit, Path(folder))
        _format(build.image)
        service = build.serve()
        try:
            number = older_builds.device_number(commit)
            with (
                loop_device(number) as device,
                mounted(build.image, build.disk, device=device),
            ):
                told = _live(build)
        finally:
            service.terminate()
            service.wait(PATIENCE)
        return _pack(commit, build, told)


def _format(image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    small = ("-I", "256", "-N", "64", "-O", "^has_journal,^resize_inode")
    _run("mkfs.ext4", "-q", "-F", *small, str(image), cwd=image.parent)


def _live(build: OlderBuild) -> dict[str, Any]:
    """Be a customer for a while; return what an heir has to be told."""
    source = build.disk / Path(older_builds.SOURCE).name
    build.manage("account", "create", "--email", EMAIL, "--plan", "personal")
    vault = build.manage("vault", "create", "--account", EMAIL, "--name", "laptop")
    build.agent("login", stdin=_connect_string(build, vault))
    build.agent("init")
    _first_files(source)
    snapshots = [build.back_up()]
    shutil.copytree(source, source.with_name(older_builds.BEFORE), symlinks=True)
    _changes(source)
    time.sleep(OLD_ENOUGH)
    snapshots.append(build.back_up())
    _wait(build.is_complete)
    return {**vault, "email": EMAIL, "snapshots": snapshots}


def _connect_string(build: OlderBuild, vault: dict[str, str]) -> str:
    settings = (build.data_dir / "service.env").read_text()
    address = settings.partition("NIGHTSAFE_GATEWAY_URL='http://")[2].partition("'")[0]
    return f"http://{vault['username']}:{vault['secret']}@{address}/restic/{vault['vault']}/\n"


def _first_files(source: Path) -> None:
    (source / "letters" / "older").mkdir(parents=True)
    (source / "letters" / "older" / older_builds.UNCHANGED).write_bytes(_RANDOM.randbytes(24_576))
    (source / "letters" / "späte Grüße").write_text("hello\n")
    (source / "altered").write_bytes(_RANDOM.randbytes(5000))
    (source / "removed").write_text("only in the first snapshot\n")
    (source / "long").write_bytes(b"".join(b"%07d\n" % number for number in range(20_000)))
    (source / "link").symlink_to("letters/older")
    (source / "altered").chmod(0o640)
    os.utime(source / "long", ns=(10**18 + 1, 10**18 + 1))


def _changes(source: Path) -> None:
    (source / "altered").write_bytes(_RANDOM.randbytes(6000))
    (source / "removed").unlink()
    (source / "letters" / "new").write_text("only in the second snapshot\n")


def _pack(commit: str, build: OlderBuild, told: dict[str, Any]) -> Path:
    for name in _LEFT_OUT:
        path = build.data_dir / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    archive = older_builds.archive_of(commit)
    with closing(tarfile.open(archive, "w:xz", preset=9)) as tar:
        for path in (build.data_dir, build.home, build.image, _note(build, told)):
            tar.add(path, arcname=path.name)
    return archive


def _note(build: OlderBuild, told: dict[str, Any]) -> Path:
    note = build.home.with_name(older_builds.NOTE)
    note.write_text(json.dumps(told))
    return note


def _run(*command: str, cwd: Path, env: dict[str, str] | None = None, stdin: str = "") -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _wait(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        if time.monotonic() > deadline:
            raise SystemExit(f"Still not so after {PATIENCE:.0f} s.")
        time.sleep(0.5)


def main(commits: Sequence[str]) -> int:
    """Make the archives of some commits; without names, of all that the test knows."""
    for commit in commits or older_builds.COMMITS:
        archive = make(commit)
        print(f"{archive.relative_to(BASE_DIR)}: {archive.stat().st_size} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
