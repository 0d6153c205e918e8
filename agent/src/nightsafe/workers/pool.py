"""A pool of worker processes: jobs go in, results come out in any order.

A worker begins with the memory of this process, or anew where it cannot fork, and then with
what it is given. While it works on one job a thread of its own fetches what the next one needs.
When a worker dies, or this process does, the other side sees the end of the pipe between them.
"""

import gc
import multiprocessing
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from nightsafe.errors import WorkerError, revived
from nightsafe.workers.host import processors
from nightsafe.workers.process import start_process

J = TypeVar("J")
R = TypeVar("R")
_Job = TypeVar("_Job", contravariant=True)
_Result = TypeVar("_Result", covariant=True)
MAX_WORKERS = 8
_AHEAD = 2
_GRACE_SECONDS = 5.0


class Work(Protocol[_Job, _Result]):
    """What a worker does, in its own process. `fetch` runs in a thread, ahead of `run`."""

    def fetch(self, job: _Job) -> bytes:
        """Get the bytes that a job needs."""

    def run(self, job: _Job, fetched: bytes) -> _Result:
        """Do the job; a NightsafeError ends the work of all."""

    def close(self) -> None:
        """Let go of everything."""


def default_workers() -> int:
    """As many as there are processors for us, within reason."""
    return min(processors(), MAX_WORKERS)


class WorkerPool(Generic[J, R]):
    """A number of workers; `close` must be called."""

    def __init__(self, start: Callable[[], Work[J, R]], count: int) -> None:
        self._todo: deque[J] = deque()
        self._open = 0
        self._workers: dict[Connection, BaseProcess] = {}
        self._load: dict[Connection, deque[J]] = {}
        gc.collect()
        gc.freeze()  # or the first collection in a worker would copy all of our memory
        try:
            for _ in range(count):
                self._hire(start)
        finally:
            gc.unfreeze()

    def _hire(self, start: Callable[[], Work[J, R]]) -> None:
        ours, theirs = multiprocessing.Pipe()
        # Our only other thread renews a lock every few minutes, and asks for nothing now.
        self._workers[ours] = start_process(
            _serve, theirs, ours=[*self._workers, ours], given=start
        )
        self._load[ours] = deque()

    @property
    def open_jobs(self) -> int:
        """How many jobs have no result yet."""
        return self._open

    def submit(self, job: J) -> None:
        """Take a job in; it is sent when a worker has room for it."""
        self._todo.append(job)
        self._open += 1

    def results(self, *, wait: bool) -> list[tuple[J, R]]:
        """Keep the workers fed, and return what is done; `wait` for one if nothing is yet.

        Raises what a worker raised, or WorkerError if one died.
        """
        self._feed()
        if not self._open:
            return []
        ready = connection.wait(list(self._workers), None if wait else 0)
        done = [self._receive(pipe) for pipe in ready]
        self._feed()
        return done

    def _feed(self) -> None:
        for count in range(_AHEAD):  # one each before anybody gets a second
            for pipe, load in self._load.items():
                if self._todo and len(load) <= count:
                    load.append(self._todo.popleft())
                    self._send(pipe, load[-1])

    def _send(self, pipe: Connection, job: J) -> None:
        try:
            pipe.send(job)
        except OSError as error:
            raise self._death(pipe) from error

    def _receive(self, pipe: Any) -> tuple[J, R]:
        try:
            is_well, result = pipe.recv()
        except (EOFError, OSError) as error:
            raise self._death(pipe) from error
        if not is_well:
            name, text = result
            failed = f"A worker process failed ({name}: {text}); run the same command again."
            raise revived(name, text, otherwise=WorkerError(failed))
        self._open -= 1
        return self._load[pipe].popleft(), result

    def _death(self, pipe: Connection) -> WorkerError:
        process = self._workers[pipe]
        process.join(_GRACE_SECONDS)
        return WorkerError(
            f"A worker process ended unexpectedly (status {process.exitcode}), perhaps for lack "
            "of memory. Nothing stored was changed by it; run the same command again."
        )

    def close(self) -> None:
        """End the workers, at once if they still have work."""
        for pipe, process in self._workers.items():
            pipe.close()
            if self._open:
                process.terminate()
        for process in self._workers.values():
            process.join(_GRACE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        self._workers.clear()


def _serve(pipe: Connection, others: list[Connection], start: Callable[[], Work[Any, Any]]) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent decides
    signal.signal(signal.SIGTERM, _leave)
    gc.disable()  # no cycles are made here, and a collection would touch every page
    for other in others:
        other.close()
    work = start()
    ready: queue.Queue[Any] = queue.Queue(maxsize=1)
    threading.Thread(target=_take, args=(pipe, work, ready), daemon=True).start()
    try:
        while (taken := ready.get()) is not None:
            pipe.send(_outcome(work, *taken))
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    finally:
        work.close()


def _take(pipe: Connection, work: Work[Any, Any], ready: "queue.Queue[Any]") -> None:
    """In a thread: take jobs in and fetch for them, ahead of the work."""
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            ready.put(None)
            return
        try:
            ready.put((job, work.fetch(job), None))
        except Exception as error:
            ready.put((job, b"", error))


def _outcome(
    work: Work[Any, Any], job: object, fetched: bytes, error: Exception | None
) -> tuple[bool, object]:
    try:
        if error is not None:
            raise error
        return True, work.run(job, fetched)
    except Exception as trouble:
        return False, (type(trouble).__name__, str(trouble))


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
