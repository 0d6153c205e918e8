"""A real gateway process with a database of its own, spoken to over sockets."""

import base64
import functools
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backup_service.embedded.configuration import Configuration
from backup_service.embedded.ports import any_port
from backup_service.embedded.processes import programs
from backup_service.embedded.processes.programs import Program
from backup_service.env import BASE_DIR
from tests.support.commands import Commands
from tests.support.storage import tables
from tests.support.storage.tables import QUIET
from tests.support.waiting import wait_for_port

ROOT = BASE_DIR
PYTHON = sys.executable


@dataclass
class Gateway:
    """A running gateway and the operator's commands beside it."""

    data_dir: Path
    port: int
    env: dict[str, str]
    process: subprocess.Popen[bytes] = field(init=False)
    _commands: Commands | None = field(init=False, default=None)

    def start(self) -> None:
        """Start it as the embedded service does, and wait until it listens."""
        made = Configuration(self.data_dir, 0, self.port, None, 0, "", {})
        self.process = _start(programs.gateway(made), self)
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        if self._commands is not None:
            self._commands.close()
            self._commands = None
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)

    def manage(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        done = subprocess.run(
            [PYTHON, "manage.py", *arguments, "--json"],
            cwd=ROOT,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def quickly(self, *arguments: str) -> dict[str, Any]:
        """Run a command in a process that is there already; it must not be one that regions or
        the configuration concern, of which that process may know what was."""
        if self._commands is None:
            self._commands = Commands(self.env)
        return json.loads(self._commands.run(*arguments, "--json"))

    def shell(self, code: str) -> None:
        """Run a line of Python inside the service."""
        command = [PYTHON, "manage.py", "shell", "-v0", "-c", code]
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def customer(self, name: str = "customer", *, room: int | None = None) -> str:
        """Return the e-mail address of a new account: with `room` bytes, or with plenty."""
        plan = "plus" if room is None else f"room-{room}"
        if room is not None:
            self.shell(
                "from billing.models import Plan; Plan.objects.get_or_create("
                f"slug='{plan}', defaults=dict(name='{plan}', quota_bytes={room}))"
            )
        email = f"{name}-{uuid.uuid4().hex[:8]}@example.org"
        self.quickly("account", "create", "--email", email, "--plan", plan)
        return email

    def vault(self, email: str, *, name: str = "laptop", scope: str = "backup") -> "Holder":
        made = self.quickly("vault", "create", "--account", email, "--name", name, "--scope", scope)
        return Holder(self.port, made["vault"], made["username"], made["secret"])

    def credential(self, holder: "Holder", scope: str) -> "Holder":
        made = self.quickly("credential", "create", "--vault", holder.vault, "--scope", scope)
        return Holder(self.port, made["vault"], made["username"], made["secret"])

    def memory(self) -> int:
        """Resident bytes of the gateway's processes."""
        pages = 0
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and os.getpgid(int(folder.name)) == self.process.pid:
                    pages += int((folder / "statm").read_text().split()[1])
            except (OSError, ProcessLookupError):
                continue
        return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Holder:
    """A vault's credential, on the wire."""

    port: int
    vault: str
    username: str
    secret: str

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    @property
    def restic(self) -> str:
        return (
            f"rest:http://{self.username}:{self.secret}@127.0.0.1:{self.port}/restic/{self.vault}/"
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/restic/{self.vault}/"

    def request(
        self, method: str, path: str, body: object = None, *, patience: float = 60, **headers: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience)
        connection.request(
            method,
            f"/restic/{self.vault}/{path}",
            body,  # type: ignore[arg-type]
            {"Authorization": self.authorization, **headers},
        )
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, content

    def call(self, what: str, fields: object) -> dict[str, Any]:
        """Make a request of the control API that must succeed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        where = f"/api/v1/vaults/{self.vault}/{what}"
        headers = {"Authorization": self.authorization, "Content-Type": "application/json"}
        connection.request("POST", where, json.dumps(fields), headers)
        with connection.getresponse() as response:
            content = response.read()
        connection.close()
        assert response.status == 200, content
        return json.loads(content)

    def head_lines(self, path: str, length: int) -> bytes:
        """Return the head of an upload, for tests that speak to the socket themselves."""
        return (
            f"POST /restic/{self.vault}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: {self.authorization}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()


@contextmanager
def start_site(gateway: Gateway) -> Iterator[int]:
    """Run the website beside a gateway, as the embedded service does; yield its port."""
    port = any_port()
    site = programs.site(Configuration(gateway.data_dir, port, 0, None, 0, "", {}))
    process = _start(site, gateway)
    try:
        wait_for_port(port, process)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _start(program: Program, gateway: Gateway) -> "subprocess.Popen[bytes]":
    with (gateway.data_dir / f"{program.name}.log").open("ab") as log:
        return subprocess.Popen(
            program.argv,
            cwd=ROOT,
            env={**gateway.env, "NIGHTSAFE_ROLE": program.role},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _database(data_dir: Path) -> dict[str, str]:
    """Make a database with all tables, a copy of one made once; return what the service is told.

    It is a file in the data directory, or one more on the server that the suite runs on.
    """
    server = os.environ.get("DATABASE_URL")
    if server is None:
        tables.lay(data_dir)
        return {}
    name = _name()
    _on_server(server, f'CREATE DATABASE "{name}" TEMPLATE "{_template(server)}"')
    return {"DATABASE_URL": _beside(server, name)}


@functools.cache
def _template(server: str) -> str:
    name = _name()
    _on_server(server, f'CREATE DATABASE "{name}"')
    with tempfile.TemporaryDirectory(prefix="nightsafe-tables-") as folder:
        tables.make({"DATA_DIR": folder, "DATABASE_URL": _beside(server, name)})
    return name


def _manage(env: dict[str, str], *command: str) -> None:
    subprocess.run([PYTHON, "manage.py", *command], cwd=ROOT, env=env, check=True)


def _name() -> str:
    return f"wire_{uuid.uuid4().hex[:12]}"


def _beside(server: str, name: str) -> str:
    return server.rsplit("/", 1)[0] + "/" + name


def _on_server(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


def start_gateway(data_dir: Path, **environment: str) -> Gateway:
    """Return a gateway that runs on an empty data directory; whoever asks must stop it."""
    port = any_port()
    env = {
        **os.environ,
        **QUIET,
        "DATA_DIR": str(data_dir),
        "NIGHTSAFE_EMBEDDED": "1",
        "NIGHTSAFE_GATEWAY_URL": f"http://127.0.0.1:{port}",
        **environment,
    }
    env |= _database(data_dir)
    running = Gateway(data_dir, port, env)
    _manage(env, "region", "prepare")
    running.start()
    return running


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all tests; each test makes customers of its own."""
    running = start_gateway(tmp_path_factory.mktemp("gateway"))
    yield running
    running.stop()


@pytest.fixture
def alice(gateway: Gateway) -> str:
    """The e-mail address of a new customer with plenty of room."""
    return gateway.customer("alice")


@pytest.fixture
def holder(gateway: Gateway, alice: str) -> Holder:
    """A backup credential of a new vault."""
    return gateway.vault(alice)
