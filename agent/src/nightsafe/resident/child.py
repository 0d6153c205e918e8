"""A process that yields to everything else, and is ended in good order when it is told to stop."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from nightsafe.fs.files import IS_WINDOWS

_NICENESS = 10
_PATIENCE = 60.0  # seconds that it has to end by itself
_DRAIN = 5.0  # seconds for what it has printed; something that it left behind may hold the pipe
_LOOK = 0.2
Take = Callable[[str], None]


class Stop(Protocol):
    """Whatever tells when it is time to stop, such as an event of `threading`."""

    def is_set(self) -> bool:
        """Return whether to stop."""
        ...


class Ended(NamedTuple):
    """How a process ended: its exit status, and whether it was stopped, or took too long."""

    status: int
    was_stopped: bool = False
    was_late: bool = False


def run_child(
    command: Sequence[str],
    stop: Stop,
    *,
    seconds: float = 0.0,
    out: Take = lambda line: None,
    err: Take = lambda line: None,
    environ: Mapping[str, str] | None = None,
    kept: Sequence[int] = (),
) -> Ended:
    """Run a command until it ends, `stop` is set, or so many seconds are over (0 for no end).

    `out` and `err` get each line that it prints; `kept` are descriptors that it shares. Raises
    OSError if it cannot be started.
    """
    shared: dict[str, Any] = {} if IS_WINDOWS else {"pass_fds": kept, "start_new_session": True}
    with subprocess.Popen(
        _words(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=environ,
        **shared,
    ) as process:
        _be_nice(process.pid)
        readers = [
            threading.Thread(target=_read, args=(process.stdout, out), daemon=True),
            threading.Thread(target=_read, args=(process.stderr, err), daemon=True),
        ]
        for reader in readers:
            reader.start()
        why = _wait(process, stop, time.monotonic() + seconds if seconds else float("inf"))
        for reader in readers:
            reader.join(_DRAIN)
    return Ended(process.returncode, was_stopped=why == "stopped", was_late=why == "late")


def _words(command: Sequence[str]) -> Sequence[str] | list[bytes]:
    """Return a command as the system takes it: in UTF-8, whatever the locale."""
    if IS_WINDOWS:
        return command
    return [word.encode("utf-8", "surrogateescape") for word in command]


def _wait(process: "subprocess.Popen[str]", stop: Stop, until: float) -> str:
    """Wait until a process has ended; return `stopped` or `late` if it was told to."""
    while not _has_ended(process, _LOOK):
        why = "stopped" if stop.is_set() else "late" if time.monotonic() >= until else ""
        if why:
            _end(process)
            return why
    return ""


def _has_ended(process: "subprocess.Popen[str]", seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: "subprocess.Popen[str]") -> None:
    """Ask a process to end, and after a while end it; then whatever it has started."""
    process.terminate()
    _has_ended(process, _PATIENCE)
    with contextlib.suppress(OSError):  # nothing is left
        if IS_WINDOWS:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(stream: Any, take: Take) -> None:
    for line in stream:
        take(line.rstrip("\n"))


def _be_nice(pid: int) -> None:
    """Let the process, which has one thread yet, and all that it starts, yield to others."""
    with contextlib.suppress(OSError, AttributeError):  # it has ended; Windows has no such call
        os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
