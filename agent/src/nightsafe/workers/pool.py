"""A pool of worker processes: jobs go in, results come out in any order.

A worker begins with the memory of this process, or anew where it cannot fork, and then with
what it is given. While it works on one job, a thread of its own fetches what the next one needs.
A worker that dies is an error of the pool, never a wait; when the parent dies, its workers leave.
"""

import contextlib
import gc
import os
import queue
import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar

from nightsafe.errors import WorkerError, revived
from nightsafe.workers.channel import OBJECTS, Channel, Codec, new_channel
from nightsafe.workers.host import processors
from nightsafe.workers.process import start_process

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

J = TypeVar("J")
R = TypeVar("R")
_Job = TypeVar("_Job", contravariant=True)
_Result = TypeVar("_Result", covariant=True)
MAX_WORKERS = 8
_JOBS_EACH = 2
"""A worker has one job to do, and one whose data it fetches meanwhile."""
_GRACE_SECONDS, _REPEAT_SECONDS = 5.0, 0.5
_Ready = queue.Queue[tuple[Any, bytes, Exception | None] | None]


class Work(Protocol[_Job, _Result]):
    """What a worker does, in its own process. `fetch` runs in a thread, ahead of `run`."""

    def fetch(self, job: _Job) -> bytes:
        """Get the bytes that a job needs."""

    def run(self, job: _Job, fetched: bytes) -> _Result:
        """Do the job. Whatever this or `fetch` raises ends the worker, and the parent raises it."""

    def orphaned(self) -> None:
        """The parent is gone. Runs in the thread; after it, the job under way is the last one."""

    def close(self) -> None:
        """Let go of everything."""


def worker_count(wanted: int | None) -> int:
    """`wanted`, or as many as there are processors for us, up to MAX_WORKERS."""
    return min(processors(), MAX_WORKERS) if wanted is None else wanted


class _Worker(Generic[J]):
    """A worker process as its parent sees it; `jobs` are those that it has not answered yet."""

    def __init__(self, channel: Channel, process: "BaseProcess") -> None:
        self.channel = channel
        self.process = process
        self.jobs: deque[J] = deque()


class WorkerPool(Generic[J, R]):
    """`count` workers, each of which does what `start` makes there; `close` must be called.

    `consequence` is the sentence that an error adds, of what a failure means for the user's data.
    """

    def __init__(
        self,
        start: Callable[[], Work[J, R]],
        count: int,
        *,
        consequence: str = "Nothing stored was changed by it.",
        codec: Codec = OBJECTS,
    ) -> None:
        self._consequence = consequence
        self._todo: deque[J] = deque()
        self._open = 0
        self._workers: list[_Worker[J]] = []
        self._selector = selectors.DefaultSelector()
        gc.collect()
        gc.freeze()  # or the first collection in a worker would copy all of our memory
        try:
            for _ in range(count):
                self._start(start, codec)
        except BaseException:
            self.close()
            raise
        finally:
            gc.unfreeze()

    def _start(self, start: Callable[[], Work[J, R]], codec: Codec) -> None:
        ours, theirs = new_channel(codec)
        ends = [*(worker.channel for worker in self._workers), ours]
        # Our only other thread renews a lock every few minutes, and asks for nothing now.
        worker: _Worker[J] = _Worker(ours, start_process(_serve, theirs, ours=ends, given=start))
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)

    @property
    def open_jobs(self) -> int:
        """How many jobs have no result yet."""
        return self._open

    def has_room(self) -> bool:
        """Return True if another job would go to a worker at once."""
        return not self._todo and any(len(worker.jobs) < _JOBS_EACH for worker in self._workers)

    def submit(self, job: J) -> None:
        """Take a job in; it is sent to a worker as soon as one has room for it.

        Raises what a worker raised, or WorkerError if one died.
        """
        self._todo.append(job)
        self._open += 1
        self._feed()

    def results(self, *, wait: bool) -> list[tuple[J, R]]:
        """Return the jobs that are done, with their results; `wait` for one if none is.

        Raises what a worker raised, or WorkerError if one died.
        """
        if not self._open:
            return []
        ready = self._selector.select(None if wait else 0)
        done = [self._receive(key.data) for key, _ in ready]
        self._feed()
        return done

    def ask_each(self, job: J) -> Iterator[R]:
        """Give the same job to every worker, once all others are done; yields the results."""
        self._open += len(self._workers)
        for worker in self._workers:
            self._send(worker, job)
        for worker in self._workers:
            yield self._receive(worker)[1]

    def _feed(self) -> None:
        for count in range(_JOBS_EACH):  # one each before anybody gets a second
            for worker in self._workers:
                if not self._todo:
                    return
                if len(worker.jobs) <= count:
                    self._send(worker, self._todo.popleft())

    def _send(self, worker: _Worker[J], job: J) -> None:
        worker.jobs.append(job)
        try:
            worker.channel.send(job)
        except OSError:
            self._receive(worker)  # it may have said why it ended
            raise self._death(worker) from None

    def _receive(self, worker: _Worker[J]) -> tuple[J, R]:
        try:
            is_well, result = worker.channel.receive()
        except (EOFError, OSError):
            raise self._death(worker) from None
        if not is_well:
            name, text = result
            failed = f"A worker process failed ({name}: {text})."
            raise revived(name, text, otherwise=WorkerError(self._advice(failed)))
        self._open -= 1
        return worker.jobs.popleft(), result

    def _death(self, worker: _Worker[J]) -> WorkerError:
        worker.process.join(_GRACE_SECONDS)
        return WorkerError(
            self._advice(
                "A worker process ended unexpectedly (was it killed, or is memory short? "
                f"Its status is {worker.process.exitcode})."
            )
        )

    def _advice(self, happened: str) -> str:
        return f"{happened} {self._consequence} Run the same command again."

    def close(self) -> None:
        """End the workers, at once if they still have work."""
        for worker in self._workers:
            worker.channel.close()
            if self._open:
                worker.process.terminate()
        until = time.monotonic() + _GRACE_SECONDS
        for worker in self._workers:
            worker.process.join(_REPEAT_SECONDS if self._open else _GRACE_SECONDS)
            while self._open and worker.process.is_alive() and time.monotonic() < until:
                # A signal that comes just before a system call begins does not interrupt it.
                worker.process.terminate()
                worker.process.join(_REPEAT_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()
        self._workers.clear()
        self._selector.close()


def _serve(parent: Channel, foreign: list[Channel], start: Callable[[], Work[Any, Any]]) -> None:
    """A worker's life, in its own process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent decides
    signal.signal(signal.SIGTERM, _leave)
    gc.disable()  # no cycles are made here, and a collection would touch every page
    for end in foreign:
        end.close()
    status = 1
    try:
        _work(parent, start())
        status = 0
    except Exception as error:
        with contextlib.suppress(OSError):  # the parent may be what is gone
            parent.send((False, (type(error).__name__, str(error))))
    finally:
        os._exit(status)  # whatever other threads still wait for


def _work(parent: Channel, work: Work[Any, Any]) -> None:
    ready: _Ready = queue.Queue(maxsize=1)
    threading.Thread(target=_take, args=(parent, work, ready), daemon=True).start()
    try:
        try:
            while (taken := ready.get()) is not None:
                job, fetched, error = taken
                if error is not None:
                    raise error
                parent.send((True, work.run(job, fetched)))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it would break off what follows
    finally:
        work.close()


def _take(parent: Channel, work: Work[Any, Any], ready: _Ready) -> None:
    """In a thread: take jobs in and fetch for them, ahead of the work."""
    while True:
        try:
            job = parent.receive()
        except (EOFError, OSError):
            work.orphaned()
            ready.put(None)
            return
        try:
            ready.put((job, work.fetch(job), None))
        except Exception as error:
            ready.put((job, b"", error))


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the parent repeats it
    raise SystemExit(0)
