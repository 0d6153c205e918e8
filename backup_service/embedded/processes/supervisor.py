"""Restarts processes that die; stops all if one that is needed cannot be kept up."""

import os
import signal
import time
from dataclasses import dataclass

from backup_service.embedded import datadir
from backup_service.embedded.configuration import Configuration
from backup_service.embedded.errors import LaunchError
from backup_service.embedded.processes.child import Child, Reaper
from backup_service.embedded.processes.programs import Program
from backup_service.embedded.processes.signals import Signals

QUICK = 10.0  # seconds; a process that lived less has died quickly
QUICK_DEATHS = 5  # in a row, and we give up
FIRST_DELAY = 0.1  # seconds before the first new start, then doubled
LONGEST_DELAY = 5.0
DELAY_WITHOUT = 60.0  # seconds between tries of what is not needed and cannot be kept up
TICK = 0.5  # seconds


@dataclass
class _Service:
    program: Program
    child: Child | None = None
    quick_deaths: int = 0
    start_at: float = 0.0


class Supervisor:
    """The running processes of one service."""

    def __init__(self, configuration: Configuration, signals: Signals, reaper: Reaper) -> None:
        self._configuration = configuration
        self._signals = signals
        self._reaper = reaper
        self._services: dict[str, _Service] = {}
        self._passing: Child | None = None

    def keep_up(self, program: Program) -> None:
        """Start a process and keep it up. Raises LaunchError if it cannot be started."""
        service = _Service(program)
        self._services[program.name] = service
        service.child = self._start(program)

    def does_without(self) -> bool:
        """Return whether something that is not needed cannot be kept up."""
        return any(one.quick_deaths >= QUICK_DEATHS for one in self._services.values())

    def run(self, program: Program, *, to_terminal: bool = False) -> int:
        """Run a process to its end, minding the others; return its exit status.

        Raises StopRequested or LaunchError.
        """
        self._passing = child = self._start(program, to_terminal=to_terminal)
        while (status := child.status) is None:
            self.pause(TICK)
        child.bury()
        self._passing = None
        return status

    def pause(self, seconds: float) -> None:
        """Wait a moment, or until something happens, and start again what has died.

        Raises StopRequested, or LaunchError when a process cannot be kept up.
        """
        self._signals.pause(seconds)
        for service in self._services.values():
            if service.child is not None and service.child.status is not None:
                self._mourn(service, service.child)
            if service.child is None and time.monotonic() >= service.start_at:
                service.child = self._start(service.program)

    def stop(self, *, patience: float) -> None:
        """End everything: asked first, killed after `patience` seconds; broker and stores last."""
        if self._passing is not None:
            self._end([self._passing], patience=3.0)
        self._end(self._children(is_ground=False), patience=patience)
        self._end(self._children(is_ground=True), patience=3.0)

    def end_of_log(self, name: str) -> str:
        """Return the last lines of a process's log, with its path."""
        data_dir = self._configuration.data_dir
        lines = datadir.last_lines(data_dir, name)
        return f"The end of {datadir.log_path(data_dir, name)}:\n{lines or '    (empty)'}"

    def _children(self, *, is_ground: bool) -> list[Child]:
        return [
            one.child
            for one in self._services.values()
            if one.child is not None and one.program.is_ground is is_ground
        ]

    def _start(self, program: Program, *, to_terminal: bool = False) -> Child:
        folder = self._configuration.data_dir
        log = None if to_terminal else datadir.open_log(folder, program.name)
        try:
            return Child(
                program.argv,
                environment=self._configuration.environment(program.role),
                folder=program.folder,
                output=log,
                reaper=self._reaper,
            )
        except OSError as error:
            raise LaunchError(f"{program.name} cannot be started: {error}.") from error
        finally:
            if log is not None:
                os.close(log)

    def _mourn(self, service: _Service, child: Child) -> None:
        child.bury()
        name = service.program.name
        lived = time.monotonic() - child.started
        service.child = None
        service.quick_deaths = service.quick_deaths + 1 if lived < QUICK else 1
        if service.quick_deaths >= QUICK_DEATHS and not service.program.is_needed:
            self._do_without(service)
            return
        if service.quick_deaths >= QUICK_DEATHS:
            raise LaunchError(
                f"{name} died {QUICK_DEATHS} times within seconds of its start, so everything "
                f"was stopped.\n{self.end_of_log(name)}"
            )
        delay = min(FIRST_DELAY * 2**service.quick_deaths, LONGEST_DELAY)
        service.start_at = time.monotonic() + delay
        print(f"{name} {_manner(child.status)}; it is started again.", flush=True)

    def _do_without(self, service: _Service) -> None:
        service.start_at = time.monotonic() + DELAY_WITHOUT
        name = service.program.name
        if service.quick_deaths == QUICK_DEATHS:
            print(
                f"{name} died {QUICK_DEATHS} times within seconds of its start. All else goes on "
                "without it: uploads and restores work, copies and alarms wait. It is tried again "
                f"every minute.\n{self.end_of_log(name)}",
                flush=True,
            )

    def _end(self, children: list[Child], *, patience: float) -> None:
        asked_before = self._signals.stops
        for child in children:
            if child.status is None:
                child.signal(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while any(child.status is None for child in children):
            left = deadline - time.monotonic()
            if left <= 0 or self._signals.stops > asked_before:
                break
            self._signals.wait(min(left, TICK))
        for child in children:
            child.bury()


def _manner(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
