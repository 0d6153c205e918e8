"""Compares many folders with what the last backup found, in threads.

Nearly all of it is system calls, which let other threads run; processes would only cost more to
start and to communicate with.
"""

import queue
import threading
from collections.abc import Callable

from nightsafe.scanner.lister import ChangeDetector, Probe, Unchanged

_FOLDERS_IN_A_BATCH = 32
_OUTSTANDING = 2

OnResult = Callable[[list[int], Unchanged], None]
"""Called with the numbers of compared folders, and those of them that are unchanged."""
_Result = tuple[list[Probe], Unchanged | BaseException]


def probe_all(
    todo: list[Probe], detector: ChangeDetector, on_result: OnResult, *, threads: int
) -> None:
    """Compare all folders of `todo`, last ones first, until it is empty.

    `on_result` may add to it. With `threads` 0 this thread does it all. An exception in a thread is
    raised here.
    """
    while todo:
        if len(todo) > _FOLDERS_IN_A_BATCH and threads:
            _in_threads(todo, detector, on_result, threads)
        else:
            batch = _take(todo)
            on_result([number for number, *_ in batch], detector.probe(batch))


def _take(todo: list[Probe]) -> list[Probe]:
    batch = todo[-_FOLDERS_IN_A_BATCH:]
    del todo[-_FOLDERS_IN_A_BATCH:]
    return batch


def _in_threads(
    todo: list[Probe], detector: ChangeDetector, on_result: OnResult, threads: int
) -> None:
    jobs: queue.SimpleQueue[list[Probe] | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
    given = (detector, jobs, results)
    started = [threading.Thread(target=_run, args=given, daemon=True) for _ in range(threads)]
    for thread in started:
        thread.start()
    waiting = 0
    try:
        while todo or waiting:
            while todo and waiting < _OUTSTANDING * threads:
                jobs.put(_take(todo))
                waiting += 1
            batch, unchanged = results.get()
            waiting -= 1
            if isinstance(unchanged, BaseException):
                raise unchanged
            on_result([number for number, *_ in batch], unchanged)
    finally:
        # All threads must have ended before worker processes are forked.
        for _ in started:
            jobs.put(None)
        for thread in started:
            thread.join()


def _run(
    detector: ChangeDetector,
    jobs: "queue.SimpleQueue[list[Probe] | None]",
    results: "queue.SimpleQueue[_Result]",
) -> None:
    while (batch := jobs.get()) is not None:
        try:
            results.put((batch, detector.probe(batch)))
        except BaseException as error:  # raised in the calling thread
            results.put((batch, error))
