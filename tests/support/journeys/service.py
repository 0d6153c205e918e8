"""A whole service for a test: the real launcher, its processes, and ways to hurt them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from backup_service.embedded.datadir import read_settings
from backup_service.env import BASE_DIR
from tests.support.commands import Commands
from tests.support.storage import tables
from tests.support.waiting import wait_until

READY = "Ctrl-C to stop."
START = 90.0  # seconds, on a slow machine
STOP = 25.0

# What tells our processes apart, in their command lines.
_MARKS = {
    "valkey": "valkey-server",
    "site": "backup_service.wsgi",
    "gateway": "backup_service.gateway",
    "worker": "\0--queues=nightsafe\0",
    "upkeep": "\0--queues=nightsafe-upkeep\0",
    "outside": "\0--queues=nightsafe-outside\0",
    "beat": "\0beat\0",
    "reaper": "reaper.py",
}


class Service:
    """One service in a data directory of its own. `start` it, and `stop` it at the end."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        """`environment` adds to, or replaces, what the launcher is started with."""
        self.data_dir = data_dir
        self.port = "0"
        self._extra = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._output = data_dir.with_name(f"{data_dir.name}.out")
        self._commands: Commands | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What every process of this service gets."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name != "DATABASE_URL" and not name.startswith("NIGHTSAFE_")
        }
        clock = {
            "NIGHTSAFE_CLOCK_FILE": str(self.data_dir.with_name(f"{self.data_dir.name}.clock"))
        }
        return kept | clock | {"DATA_DIR": str(self.data_dir), "PORT": self.port} | self._extra

    @property
    def url(self) -> str:
        """The website's address, without a slash at the end."""
        return self._setting("NIGHTSAFE_SITE_URL")

    @property
    def gateway_url(self) -> str:
        """The gateway's address, without a slash at the end."""
        return self._setting("NIGHTSAFE_GATEWAY_URL")

    @property
    def output(self) -> str:
        """What the launcher has printed so far, all starts together."""
        return self._output.read_text() if self._output.exists() else ""

    @property
    def pid(self) -> int:
        """The launcher's process number."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> "Service":
        """Start it and wait until it is ready. On the second start, on the same port."""
        # `run`, which other tests start, makes the tables itself; and tables without settings are
        # taken for those of a service whose regions are folders.
        if not self.data_dir.exists() and "REGIONS" not in self._extra:
            self.data_dir.mkdir(mode=0o700, parents=True)
            tables.lay(self.data_dir)
        seen = self.output.count(READY)
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                launcher("serve"),
                env=self.environment,
                cwd=BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: self._is_settled(seen), START, lambda: f"no start:\n{self.output}")
        assert self._process.poll() is None, f"the launcher ended:\n{self.output}"
        self.port = self.url.rpartition(":")[2]
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the launcher to stop, and return its exit status."""
        assert self._process is not None, "not started"
        self.ask_no_more()
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(timeout=STOP)

    def restart(self, **environment: str) -> None:
        """Stop in good order, and start again, with something changed if told so."""
        self.stop()
        self._extra |= environment
        self.start()

    def close(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self._process is None:
            return
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def pid_of(self, name: str) -> int | None:
        """Return the number of one of the launcher's own children, while it runs."""
        for pid, parent, command in processes():
            if parent == self.pid and _MARKS[name] in command:
                return pid
        return None

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to valkey, site, gateway, worker, beat, reaper or launcher."""
        pid = self.pid if name == "launcher" else self.pid_of(name)
        assert pid is not None, f"no {name} is running:\n{self.output}"
        os.kill(pid, number)
        if name == "launcher" and self._process is not None:
            self._process.wait(timeout=STOP)
        return pid

    def manage(self, *arguments: str, check: bool = True) -> Any:
        """Run manage.py for this service. Returns its JSON with --json, otherwise its output.

        Raises CalledProcessError (its output and stderr are texts) unless `check` is off.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self.environment,
            cwd=BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        if "--json" in arguments and done.returncode == 0:
            return json.loads(done.stdout)
        return done.stdout + done.stderr

    def ask(self, *arguments: str) -> Any:
        """As `manage`, in a process that is there already: for what is asked again and again."""
        if self._commands is None:
            self._commands = Commands(self.environment)
        out = self._commands.run(*arguments)
        return json.loads(out) if "--json" in arguments else out

    def ask_no_more(self) -> None:
        """End that process, which knows only the settings it began with."""
        if self._commands is not None:
            self._commands.close()
            self._commands = None

    def travel(self, seconds: float) -> None:
        """Move the clock of all its processes, counted from the real time."""
        self.data_dir.with_name(f"{self.data_dir.name}.clock").write_text(str(seconds))

    def log(self, name: str) -> str:
        """Return what a process has logged."""
        path = self.data_dir / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _setting(self, name: str) -> str:
        return read_settings(self.data_dir)[name]

    def _is_settled(self, seen: int) -> bool:
        assert self._process is not None
        return self._process.poll() is not None or self.output.count(READY) > seen


def launcher(mode: str) -> list[str]:
    """Return the launcher's command line."""
    return [sys.executable, "-m", "backup_service.embedded", mode]


def burn(drive: Path) -> None:
    """Take a region's folder away at one moment, whoever is writing into it, and remove it."""
    ashes = drive.with_name(f"{drive.name}-burnt")
    drive.rename(ashes)
    while ashes.exists():  # what was being written into it may still come to an end there
        shutil.rmtree(ashes, ignore_errors=True)


def processes() -> list[tuple[int, int, str]]:
    """Return (number, parent, command line with \\0 between its words) of every process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.append((int(folder.name), int(status[1]), command))
    return found


def processes_about(data_dir: Path) -> dict[int, str]:
    """Return the processes that mention a data directory anywhere, zombies left out."""
    mark = os.fsencode(data_dir)
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            traces = [(folder / name).read_bytes() for name in ("cmdline", "environ")]
            traces.append(os.fsencode((folder / "cwd").readlink()))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if any(mark in trace for trace in traces) and int(folder.name) != os.getpid():
            found[int(folder.name)] = traces[0].replace(b"\0", b" ").decode(errors="replace")
    return found
