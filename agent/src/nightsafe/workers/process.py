"""Starts worker processes: forked where possible, spawned elsewhere."""

import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from nightsafe.fs.files import FORKS

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_METHOD = "fork" if FORKS else "spawn"


def begins_with_memory() -> bool:
    """Whether a process that is started here sees what this one has in shared memory."""
    return _METHOD == "fork"


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

    foreign = list(ours) if _METHOD == "fork" else []
    context: Any = multiprocessing.get_context(_METHOD)
    process: BaseProcess = context.Process(target=serve, args=(theirs, foreign, given), daemon=True)
    with warnings.catch_warnings():
        # Newer versions of Python warn of forks beside threads; the child uses none of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    return process
