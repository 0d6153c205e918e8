"""The service's processes without its launcher, on whatever database the tests run on."""

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from backup_service.embedded.configuration import Configuration
from backup_service.embedded.ports import any_port
from backup_service.embedded.processes import programs
from backup_service.embedded.processes.programs import Program
from tests.support.gateway import Gateway, start_gateway
from tests.support.journeys.service import STOP, Service


class Processes(Service):
    """Broker, gateway, worker and beat, for a `with` block.

    With DATABASE_URL they have a database of their own on that server; otherwise SQLite.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        super().__init__(folder / "data", **environment)
        self._stack = ExitStack()
        self._gateway: Gateway | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What every process of this service gets."""
        assert self._gateway is not None, "not started"
        return self._gateway.env

    @property
    def gateway_url(self) -> str:
        """The gateway's address, without a slash at the end."""
        return self.environment["NIGHTSAFE_GATEWAY_URL"]

    def __enter__(self) -> "Processes":
        self.data_dir.mkdir()
        ports = [any_port() for _ in range(3)]
        made = Configuration(
            self.data_dir, ports[0], ports[1], None, ports[2], secrets.token_urlsafe(), {}
        )
        clock = self.data_dir.with_name(f"{self.data_dir.name}.clock")
        told = {name: made.settings()[name] for name in ("NIGHTSAFE_BROKER_URL",)}
        told |= {"NIGHTSAFE_CLOCK_FILE": str(clock)} | self._extra
        with self._stack as stack:
            stack.enter_context(self._running(programs.broker(made), dict(os.environ)))
            self._gateway = start_gateway(self.data_dir, **told)
            stack.callback(self._gateway.stop)
            for program in (programs.worker(), programs.upkeep(), programs.beat(made)):
                stack.enter_context(self._running(program, self._gateway.env))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.ask_no_more()
        self._stack.close()

    @contextmanager
    def _running(self, program: Program, environment: dict[str, str]) -> Iterator[None]:
        """Run a program and everything that it starts, until the end of the `with` block."""
        log = self.data_dir / "logs" / f"{program.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                program.argv,
                cwd=program.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
