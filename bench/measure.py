"""Run one command and say what it cost: seconds, processor seconds, memory."""

import contextlib
import mmap
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.1
_SAMPLE_SHARE = 0.02
_LAST_LINES = 600
_FRESH_BYTES = 3 << 30
_MADV_POPULATE_WRITE = 23  # Linux 5.14; Python does not name it


class FailedError(Exception):
    """A measured command ended with another status than 0."""


@dataclass(frozen=True)
class Cost:
    """What a command took. `wall` and `cpu` in seconds, `memory` in bytes.

    `cpu` is user and system time of the process and of all it waited for; `memory` is the
    highest sum of proportional set sizes over its session, sampled ten times a second, or less
    often where looking takes long, so that it costs no program more than a fiftieth.
    """

    wall: float
    cpu: float
    memory: int


def run(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, freshen: bool = True
) -> Cost:
    """Run a command to its end; FailedError with its last words if it fails.

    Memory need not be freshened if the same command has just used and left it; for a command of
    a third of a second that is better, since what was freshened is given back meanwhile.
    """
    if freshen:
        freshen_memory()
    with tempfile.TemporaryFile() as said:
        begun = time.monotonic()
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        watch = _MemoryWatch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.end()
        said.seek(0)
        words = said.read().decode(errors="replace")[-_LAST_LINES:]
    if process.returncode:
        raise FailedError(f"{command[0]} ended with {process.returncode}: {words}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, watch.peak)


def freshen_memory() -> None:
    """Touch free memory, so that no program pays for what the host took back before it.

    A virtual machine may hand freed memory to its host, and then the first touch of a page costs
    ten times as much as later ones: more than most of what is measured. Not in large pages: those
    go back to it at once, and everything is slower meanwhile.
    """
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with mmap.mmap(-1, min(_FRESH_BYTES, free // 2), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as all_:
        with contextlib.suppress(OSError):
            all_.madvise(_MADV_POPULATE_WRITE)
            return
        for start in range(0, len(all_), mmap.PAGESIZE):
            all_[start] = 1


class _MemoryWatch:
    """Samples the memory of all processes of a session until it is ended."""

    def __init__(self, session: int) -> None:
        self.peak = 0
        self._session = session
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = _SAMPLE_SECONDS
        while not self._ended.wait(pause):
            begun = time.monotonic()
            self.peak = max(self.peak, session_memory(self._session))
            pause = max(_SAMPLE_SECONDS, (time.monotonic() - begun) / _SAMPLE_SHARE)


def busy_share(seconds: float = 2.0) -> float:
    """The share of the processors' time, 0 to 1, that is used while we wait."""
    before = _idle_seconds()
    time.sleep(seconds)
    cores = os.cpu_count() or 1
    return max(0.0, 1 - (_idle_seconds() - before) / (seconds * cores))


def _idle_seconds() -> float:
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def session_memory(session: int) -> int:
    """The summed proportional set size of a session's processes, in bytes."""
    total = 0
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.getsid(int(name)) == session:
                total += _pss(f"/proc/{name}/smaps_rollup")
        except (OSError, ValueError):
            continue
    return total


def _pss(path: str) -> int:
    with open(path, "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return 0
