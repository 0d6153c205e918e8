"""Start, announce, supervise, stop: the life of an embedded service, top to bottom."""

import os
import time
from collections.abc import Mapping

from backup_service.embedded import datadir, programs
from backup_service.embedded.child import Warden
from backup_service.embedded.configuration import Configuration, choose, data_directory
from backup_service.embedded.errors import LaunchError
from backup_service.embedded.readiness import wait_until_ready
from backup_service.embedded.signals import Signals, StopRequested, received
from backup_service.embedded.supervisor import TICK, Supervisor

PATIENCE = 10.0  # seconds that a process has to end by itself


def launch(wishes: Mapping[str, str], *, with_demo: bool) -> int:
    """Run the service until it is told to stop; return the exit status.

    `wishes` is the environment: PORT, DATA_DIR, and for the demonstration ONCE and SOURCE.
    Raises LaunchError.
    """
    os.umask(0o077)
    data_dir = data_directory(wishes)
    lock = datadir.claim(data_dir)
    try:
        configuration = choose(data_dir, wishes)
        datadir.write_settings(data_dir, configuration.settings())
        with received() as signals:
            return _live(configuration, signals, with_demo=with_demo, once=_is_on(wishes))
    finally:
        os.close(lock)


def _is_on(wishes: Mapping[str, str]) -> bool:
    return wishes.get("ONCE", "") not in ("", "0", "no", "false")


def _live(configuration: Configuration, signals: Signals, *, with_demo: bool, once: bool) -> int:
    warden = Warden()
    supervisor = Supervisor(configuration, signals, warden)
    try:
        _start(configuration, supervisor)
        if with_demo:
            status = supervisor.run(programs.demo(once=once), to_terminal=True)
            if once:
                return status
        print("Ctrl-C to stop.", flush=True)
        while True:
            supervisor.pause(TICK)
    except StopRequested:
        return 130 if once and with_demo else 0
    finally:
        print("Stopping.", flush=True)
        supervisor.stop(patience=PATIENCE)
        warden.close()
        print(f"Stopped. Everything is kept in {configuration.data_dir}.", flush=True)


def _start(configuration: Configuration, supervisor: Supervisor) -> None:
    print(f"Starting Nightsafe in {configuration.data_dir}.", flush=True)
    begun = time.monotonic()
    supervisor.keep_up(programs.broker(configuration))
    if supervisor.run(programs.prepare()) != 0:
        raise LaunchError(
            f"The database could not be prepared.\n{supervisor.end_of_log('prepare')}"
        )
    for program in (
        programs.worker(),
        programs.beat(configuration),
        programs.site(configuration),
        programs.gateway(configuration),
    ):
        supervisor.keep_up(program)
    wait_until_ready(configuration, supervisor)
    _announce(configuration, time.monotonic() - begun)


def _announce(configuration: Configuration, seconds: float) -> None:
    print(
        f"Nightsafe is ready after {seconds:.1f} s.\n"
        f"  Website  {configuration.site_url}/\n"
        f"  Gateway  {configuration.gateway_url}/restic/\n"
        f"  Mails    {configuration.site_url}/mail/\n"
        f"  Logs     {configuration.data_dir / 'logs'}/",
        flush=True,
    )
    if configuration.gateway_moved_from is not None:
        print(
            f"  Port {configuration.gateway_moved_from} was taken, so the gateway has moved to "
            f"{configuration.gateway_port}: vaults' addresses have changed.",
            flush=True,
        )
