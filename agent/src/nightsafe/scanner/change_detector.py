"""Compares many folders with what the last backup found, in threads.

Most of it is asking the file system, which leaves other threads running, so processes of their
own would only be dearer to start and to talk to.
"""

import queue
import threading
from collections.abc import Callable

from nightsafe.scanner.lister import ChangeDetector, Probe, Same

_FOLDERS_IN_A_BATCH = 32
_OUTSTANDING = 2

Deal = Callable[[list[int], Same], None]
"""Told the numbers of folders that were looked at, and which of them look as they did."""
_Answer = tuple[list[Probe], Same | BaseException]


def probe_all(todo: list[Probe], prober: ChangeDetector, deal: Deal, *, threads: int) -> None:
    """Look at all folders of `todo`, last ones first, until it is empty; `deal` may add to it.

    `threads` may be 0 for this one alone. What goes wrong in a thread is raised here.
    """
    while todo:
        if len(todo) > _FOLDERS_IN_A_BATCH and threads:
            _side_by_side(todo, prober, deal, threads)
        else:
            batch = _take(todo)
            deal([number for number, *_ in batch], prober.probe(batch))


def _take(todo: list[Probe]) -> list[Probe]:
    batch = todo[-_FOLDERS_IN_A_BATCH:]
    del todo[-_FOLDERS_IN_A_BATCH:]
    return batch


def _side_by_side(todo: list[Probe], prober: ChangeDetector, deal: Deal, threads: int) -> None:
    jobs: queue.SimpleQueue[list[Probe] | None] = queue.SimpleQueue()
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    given = (prober, jobs, answers)
    crew = [threading.Thread(target=_serve, args=given, daemon=True) for _ in range(threads)]
    for thread in crew:
        thread.start()
    waiting = 0
    try:
        while todo or waiting:
            while todo and waiting < _OUTSTANDING * threads:
                jobs.put(_take(todo))
                waiting += 1
            batch, same = answers.get()
            waiting -= 1
            if isinstance(same, BaseException):
                raise same
            deal([number for number, *_ in batch], same)
    finally:
        # None of them may be alive when worker processes are forked.
        for _ in crew:
            jobs.put(None)
        for thread in crew:
            thread.join()


def _serve(
    prober: ChangeDetector,
    jobs: "queue.SimpleQueue[list[Probe] | None]",
    answers: "queue.SimpleQueue[_Answer]",
) -> None:
    while (batch := jobs.get()) is not None:
        try:
            answers.put((batch, prober.probe(batch)))
        except BaseException as error:  # for who asked
            answers.put((batch, error))
