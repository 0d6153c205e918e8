"""Starts, announces, supervises and stops an embedded service, from top to bottom."""

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backup_service.embedded import datadir, regions
from backup_service.embedded.configuration import Configuration, choose, data_directory
from backup_service.embedded.demo.source import given
from backup_service.embedded.errors import DataDirectoryError, LaunchError
from backup_service.embedded.processes import programs
from backup_service.embedded.processes.child import Reaper
from backup_service.embedded.processes.readiness import wait_until_ready
from backup_service.embedded.processes.signals import Signals, StopRequested, received
from backup_service.embedded.processes.supervisor import TICK, Supervisor
from backup_service.embedded.reserve import NO_ROOM, Reserve

PATIENCE = 10.0  # seconds that a process has to end by itself


@dataclass(frozen=True)
class DemoWish:
    """How the demonstration was requested: of what, and whether to stop afterwards."""

    source: str
    once: bool


def launch(wishes: Mapping[str, str], *, with_demo: bool) -> int:
    """Run the service until it is told to stop; return the exit status.

    `wishes` is the environment: PORT, DATA_DIR, REGIONS, and for the demonstration ONCE and
    SOURCE.
    Raises LaunchError.
    """
    os.umask(0o077)
    data_dir = data_directory(wishes)
    demo = _demo_wish(wishes, data_dir) if with_demo else None
    lock = datadir.claim(data_dir)
    try:
        reserve = Reserve(data_dir)
        reserve.open()
        configuration = choose(data_dir, wishes)
        datadir.write_settings(data_dir, configuration.settings())
        with received() as signals:
            return _live(configuration, signals, demo, reserve)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DataDirectoryError(NO_ROOM.format(folder=data_dir)) from error
    finally:
        os.close(lock)


def _demo_wish(wishes: Mapping[str, str], data_dir: Path) -> DemoWish:
    source = wishes.get("SOURCE", "")
    once = wishes.get("ONCE", "") not in ("", "0", "no", "false")
    return DemoWish(str(given(source, data_dir)) if source else "", once)


def _live(
    configuration: Configuration, signals: Signals, demo: DemoWish | None, reserve: Reserve
) -> int:
    reaper = Reaper()
    supervisor = Supervisor(configuration, signals, reaper)
    try:
        _start(configuration, supervisor)
        if demo is not None:
            program = programs.demo(demo.source, once=demo.once)
            status = supervisor.run(program, to_terminal=True)
            if demo.once:
                return status
        print("Ctrl-C to stop.", flush=True)
        while True:
            supervisor.pause(TICK)
            reserve.mind()
    except StopRequested:
        return 130 if demo is not None and demo.once else 0
    finally:
        print("Stopping.", flush=True)
        supervisor.stop(patience=PATIENCE)
        reaper.close()
        print(f"Stopped. Everything is kept in {configuration.data_dir}.", flush=True)


def _start(configuration: Configuration, supervisor: Supervisor) -> None:
    print(f"Starting Nightsafe in {configuration.data_dir}.", flush=True)
    begun = time.monotonic()
    supervisor.keep_up(programs.broker(configuration))
    _start_stores(configuration, supervisor)
    if configuration.payments is not None:
        supervisor.keep_up(programs.payments(configuration))
    if supervisor.run(programs.prepare()) != 0:
        raise LaunchError(
            f"Database and regions could not be prepared.\n{supervisor.end_of_log('prepare')}"
        )
    for program in (
        programs.worker(),
        programs.upkeep(),
        programs.outside(),
        programs.beat(configuration),
        programs.site(configuration),
        programs.gateway(configuration),
    ):
        supervisor.keep_up(program)
    wait_until_ready(configuration, supervisor)
    _announce(configuration, time.monotonic() - begun)


def _start_stores(configuration: Configuration, supervisor: Supervisor) -> None:
    started = programs.region_stores(configuration)
    for program in started:
        supervisor.keep_up(program)
    if started and supervisor.run(programs.settle()) != 0:
        raise LaunchError(
            f"The regions' stores did not start.\n{supervisor.end_of_log('settle')}\n"
            f"{supervisor.end_of_log(started[0].name)}"
        )


def _announce(configuration: Configuration, seconds: float) -> None:
    print(
        f"Nightsafe is ready after {seconds:.1f} s.\n"
        f"  Website  {configuration.site_url}/\n"
        f"  Gateway  {configuration.gateway_url}/restic/\n"
        f"  Mails    {configuration.mails_url} (token: {configuration.mail_token})\n"
        f"  Logs     {configuration.data_dir / 'logs'}/\n"
        f"  Regions  {regions.describe(configuration.data_dir, configuration.settings())}",
        flush=True,
    )
    if configuration.payments is not None:
        print(f"  Payments {configuration.payments.url}/ (a stand-in: no real money)", flush=True)
    if configuration.moved_from is not None:
        print(
            f"  Port {configuration.moved_from} was taken, so the website has moved to "
            f"{configuration.port}.",
            flush=True,
        )
    if configuration.gateway_moved_from is not None:
        print(
            f"  Port {configuration.gateway_moved_from} was taken, so the gateway has moved to "
            f"{configuration.gateway_port}: vaults' addresses have changed.",
            flush=True,
        )
