"""Runs one function over many items in threads, for work that mostly waits."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_END = object()
_AHEAD = 2
"""Things that each thread may have under way or done, before somebody took what came of them."""


def several(work: Callable[[T], R], things: Iterable[T], *, threads: int) -> Iterator[tuple[T, R]]:
    """Each of `things` with what `work` makes of it, in the order in which they are done.

    With one thread, or one thing, all is done here. What `work` raises is raised here, and then no
    more is begun. The threads end with this process, whatever they wait for.
    """
    waiting = list(things)
    if min(threads, len(waiting)) < 2:
        yield from ((thing, work(thing)) for thing in waiting)
        return
    pool = _ThreadPool(work, min(threads, len(waiting)))
    try:
        yield from pool.results(waiting)
    finally:
        pool.end()


class _ThreadPool:
    def __init__(self, work: Callable[[Any], Any], count: int) -> None:
        self._work = work
        self._count = count
        self._todo: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Any, Any, BaseException | None]] = queue.SimpleQueue()
        self._is_over = False
        for _ in range(count):
            threading.Thread(target=self._serve, name="several", daemon=True).start()

    def results(self, things: list[Any]) -> Iterator[tuple[Any, Any]]:
        upcoming = iter(things)
        for thing in islice(upcoming, _AHEAD * self._count):
            self._todo.put(thing)
        for _ in things:
            thing, result, trouble = self._done.get()
            if trouble is not None:
                raise trouble
            for another in islice(upcoming, 1):
                self._todo.put(another)
            yield thing, result

    def end(self) -> None:
        self._is_over = True
        for _ in range(self._count):
            self._todo.put(_END)

    def _serve(self) -> None:
        while (thing := self._todo.get()) is not _END and not self._is_over:
            try:
                self._done.put((thing, self._work(thing), None))
            except BaseException as error:
                self._done.put((thing, None, error))
