"""The service as `docker/` starts it, without Docker: its commands, its environment, its proxy."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from backup_service.embedded.configuration import Configuration
from backup_service.embedded.ports import any_port
from backup_service.embedded.processes import programs
from backup_service.env import BASE_DIR
from tests.support import compose, postgres
from tests.support.programs import program

START = 60.0  # seconds
STOP = 25.0
BIN = Path(sys.executable).parent
SERVICES = ("site", "gateway", "worker", "upkeep", "outside", "beat")


class Production:
    """Database, broker, everything of `SERVICES`, and Caddy in front; for a `with` block.

    Its customers come to `url`, and only there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.site_port, self.gateway_port = (any_port() for _ in range(3))
        self.url = f"http://127.0.0.1:{self.port}"
        self.mails = folder / "mails"
        self._services = compose.read()["services"]
        self._stack = ExitStack()
        self._told: dict[str, str] = {}

    def __enter__(self) -> "Production":
        with self._stack as stack:
            self._told = self._environment(stack)
            prepare = compose.command(self._services["prepare"], self.folder)
            subprocess.run(prepare, env=self._of("prepare"), cwd=BASE_DIR, check=True)
            for name in SERVICES:
                port = {"site": self.site_port, "gateway": self.gateway_port}.get(name, 0)
                argv = compose.command(self._services[name], self.folder, port)
                self._start(name, argv, self._of(name))
            self._start("proxy", [program("caddy"), "run", "--config", str(self._proxy())], {})
            self._wait()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def manage(self, *arguments: str) -> Any:
        """Run manage.py as an operator would inside a container; return its JSON."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments, "--json"],
            env=self._of("site"),
            cwd=BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def requests(self, name: str) -> list[str]:
        """Return the requests that site or gateway have answered: `POST /path 200`."""
        lines = (self.folder / f"{name}.requests").read_text().splitlines()
        return [" ".join(line.split()[:3]) for line in lines]

    def log(self, name: str) -> str:
        """Return what a process has printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _environment(self, stack: ExitStack) -> dict[str, str]:
        """Start database and broker; return what differs from the containers' environment."""
        password = compose.FILLED["VALKEY_PASSWORD"]
        broker = any_port()
        made = Configuration(self.folder, 0, 0, None, broker, password, {})
        self._start("broker", programs.broker(made).argv, {})
        return {
            "DATABASE_URL": stack.enter_context(postgres.running(_binaries())),
            "NIGHTSAFE_BROKER_URL": f"redis://:{password}@127.0.0.1:{broker}/0",
            "NIGHTSAFE_REGIONS": ",".join(f"{name}={self.folder / name}" for name in "ab"),
            "NIGHTSAFE_SITE_URL": self.url,
            "NIGHTSAFE_GATEWAY_URL": self.url,
            "EMAIL_URL": f"filemail:///{self.mails}",
            "DATA_DIR": str(self.folder / "tmp"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }

    def _of(self, name: str) -> dict[str, str]:
        told = compose.environment(self._services[name])
        log = f"--access-logfile={self.folder / name}.requests"
        log += " --access-logformat='%(m)s %(U)s %(s)s'"
        return compose.clean() | told | self._told | {"GUNICORN_CMD_ARGS": log}

    def _proxy(self) -> Path:
        """Return the shipped routes as Caddy's own configuration, for this computer alone."""
        told = {
            "NIGHTSAFE_DOMAIN": self.url,
            "NIGHTSAFE_SITE": f"127.0.0.1:{self.site_port}",
            "NIGHTSAFE_GATEWAY": f"127.0.0.1:{self.gateway_port}",
        }
        command = [program("caddy"), "adapt", "--config", str(compose.DOCKER / "Caddyfile")]
        done = subprocess.run(command, env=os.environ | told, capture_output=True, check=True)
        text = done.stdout.decode().replace(f'":{self.port}"', f'"127.0.0.1:{self.port}"')
        adapted = self.folder / "caddy.json"
        adapted.write_text(text)
        return adapted

    def _start(self, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder / "caddy")}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                env=environment or compose.clean() | home,
                cwd=BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._stack.callback(_stop, process)

    def _wait(self) -> None:
        deadline = time.monotonic() + START
        for name, url in (
            ("site", f"http://127.0.0.1:{self.site_port}/readyz"),
            ("gateway", f"http://127.0.0.1:{self.gateway_port}/readyz"),
            ("proxy", f"{self.url}/"),
        ):
            while not _answers(url):
                assert time.monotonic() < deadline, f"no {name}:\n{self.log(name)}"
                time.sleep(0.1)


def _binaries() -> Path:
    found = postgres.find_binaries()
    return found if found is not None else Path(program("initdb")).parent


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
