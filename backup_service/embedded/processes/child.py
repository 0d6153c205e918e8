"""Runs child processes, each in a group of its own, none of which outlives the launcher."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Reaper:
    """The process that ends our children's groups if we can no longer do it."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        script = Path(__file__).with_name("reaper.py")
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env={},
            process_group=0,
        )

    def watch(self, group: int) -> None:
        """Put a process group on the list."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Take a group off the list that has ended."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the watch; what is still on the list dies."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()

    def _tell(self, line: str) -> None:
        try:
            self._write(line)
        except BrokenPipeError:  # somebody killed it: another one takes over the whole list
            self.close()
            self.process = self._start()
            self._write("".join(f"+{group}\n" for group in self._groups))

    def _write(self, text: str) -> None:
        if self.process.stdin is not None:
            self.process.stdin.write(text.encode())


class Child:
    """One running process and the group it leads."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        output: int | None,
        reaper: Reaper,
    ) -> None:
        """Start it. `output` is the descriptor of its log; None leaves it our own output.

        Raises OSError if it cannot be started.
        """
        launcher = os.getpid()
        self._reaper = reaper
        self._process = subprocess.Popen(
            list(argv),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
            preexec_fn=lambda: _die_with(launcher),
        )
        self.started = time.monotonic()
        reaper.watch(self.pid)

    @property
    def pid(self) -> int:
        """Its process number, which is its group's as well."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs, negative for a signal."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone, which tells its workers in its own way."""
        self._process.send_signal(number)

    def bury(self) -> None:
        """Kill what is left of the group, and forget it."""
        # A group that is gone already is the first error, or on macOS the second.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reaper.forget(self.pid)


def _die_with(launcher: int) -> None:
    """In the new process: be killed when the launcher ends, or now if it has ended already."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:
        os._exit(1)
