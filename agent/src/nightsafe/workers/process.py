"""Starts worker processes: forked where possible, spawned elsewhere."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from nightsafe.fs.files import IS_WINDOWS, TO_CHANGE

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

FORKS = sys.platform == "linux" and hasattr(os, "fork")
"""Whether a process may begin with the memory of another: macOS's own libraries forbid it."""
START_METHOD = "fork" if FORKS else "spawn"


def begins_with_memory() -> bool:
    """Whether a process that is started here sees what this one has in shared memory."""
    return START_METHOD == "fork"


class End(Protocol):
    """One end of a connection between two processes."""

    def close(self) -> None:
        """Let go of it."""


def start_process(
    serve: Callable[..., None], theirs: End, *, ours: Iterable[End], given: object
) -> "BaseProcess":
    """Start `serve(theirs, foreign, given)` in a process of its own, and let go of `theirs`.

    A forked child has `ours`, our ends of all connections, too, and must let them go: `foreign`.
    """
    import multiprocessing  # most backups start none, and loading it takes 10 ms

    foreign = list(ours) if START_METHOD == "fork" else []
    context: Any = multiprocessing.get_context(START_METHOD)
    process: BaseProcess = context.Process(target=serve, args=(theirs, foreign, given), daemon=True)
    with warnings.catch_warnings():
        # Newer versions of Python warn of forks beside threads; the child uses none of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    return process


def handed_on(fd: int) -> Any:
    """An open file on its way to a process that is being started; `detach` gives it there."""
    from multiprocessing import reduction

    return _Handle(fd) if IS_WINDOWS else reduction.DupFd(fd)


class _Handle:
    """An open file as Windows passes it on."""

    def __init__(self, fd: int) -> None:
        import msvcrt
        from multiprocessing import reduction

        reading_and_writing = 0x120089 | 0x120116
        there: Any = msvcrt
        made: Any = reduction
        self._handle = made.DupHandle(there.get_osfhandle(fd), reading_and_writing)

    def detach(self) -> int:
        import msvcrt

        there: Any = msvcrt
        return int(there.open_osfhandle(self._handle.detach(), TO_CHANGE | os.O_APPEND))
