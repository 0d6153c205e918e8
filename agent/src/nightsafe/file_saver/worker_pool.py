"""Runs backup jobs in this process at first, and in worker processes once there is enough work.

Parent and workers talk over socket pairs in messages of a length and a marshalled value. A
worker that dies is an error of the backup, never a wait; a parent that dies takes its workers
with it.
"""

import contextlib
import gc
import marshal
import os
import queue
import selectors
import signal
import socket
import struct
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from nightsafe.errors import WorkerError, revived
from nightsafe.file_saver.worker import JobResult, Worker, WorkerSetup
from nightsafe.packer.pack_builder import Tail
from nightsafe.scanner.lister import problem_of
from nightsafe.workers.process import start_process

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_LENGTH = struct.Struct("<I")
_OUTSTANDING = 2
_SOCKET_BUFFER = 1 << 20

Job = tuple[Any, ...]
Result = tuple[Any, ...]
Packs = list[tuple[bytes, bytes, int]]


class WorkerPool(Protocol):
    """Takes jobs and gives results, in no particular order."""

    def has_room(self) -> bool:
        """Whether a job would be taken up soon."""

    def hand_out(self, jobs: list[Job]) -> None:
        """Take on some jobs."""

    def collect(self) -> tuple[list[Result], Packs]:
        """Wait for some results; also the packs that arrived meanwhile."""

    def finish(self) -> Iterable[tuple[Packs, Tail]]:
        """Let each worker send what it has; yields what arrived, and each one's tail."""

    def stop(self) -> None:
        """End everything at once."""


def execute(worker: Worker, job: Job) -> Result:
    """Do one job; what the file system refuses is a result too."""
    match job:
        case ("folder", number, path, previous):
            try:
                found = worker.folder(path, previous)
            except OSError as error:
                return ("unlisted", number, problem_of(path, error))
            if isinstance(found, JobResult):
                return ("found", number, *found.as_tuple())
            return ("slices", number, found)
        case ("entries", number, entries, previous):
            return ("found", number, *worker.entries(entries, previous).as_tuple())
        case ("pieces", key, sequence, pieces):
            return ("stored", key, sequence, *worker.pieces(pieces))
        case ("ranges", key, sequence, path, identity, ranges):
            try:
                return ("stored", key, sequence, *worker.ranges(path, identity, ranges))
            except OSError as error:
                return ("unread", key, sequence, problem_of(path, error))
    raise WorkerError(f"A worker was asked for something it does not know: {job[0]!r}.")


class InlinePool:
    """This process itself, for what is so little that others would not help."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._worker = Worker(setup)
        self._results: list[Result] = []

    def has_room(self) -> bool:
        return not self._results

    def hand_out(self, jobs: list[Job]) -> None:
        self._results += [execute(self._worker, job) for job in jobs]

    def collect(self) -> tuple[list[Result], Packs]:
        results, self._results = self._results, []
        return results, self._worker.sent()

    def finish(self) -> Iterable[tuple[Packs, Tail]]:
        packs, tail = self._worker.finish()
        yield packs, tail

    def stop(self) -> None:
        """There is nothing to end."""


class ProcessPool:
    """Worker processes; they begin with the memory of this one, or anew where it cannot fork."""

    def __init__(self, setup: WorkerSetup, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._busy: dict[socket.socket, int] = {}
        self._workers: list[BaseProcess] = []
        gc.collect()
        gc.freeze()
        try:
            for _ in range(count):
                self._start(setup)
        except BaseException:
            self.stop()
            raise
        finally:
            gc.unfreeze()

    def _start(self, setup: WorkerSetup) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        self._busy[ours] = 0
        self._selector.register(ours, selectors.EVENT_READ)
        self._workers.append(start_process(_serve, theirs, ours=self._busy, given=setup))

    def has_room(self) -> bool:
        return min(self._busy.values()) < _OUTSTANDING

    def hand_out(self, jobs: list[Job]) -> None:
        worker = min(self._busy, key=self._busy.__getitem__)
        self._busy[worker] += 1
        self._send(worker, jobs)

    def collect(self) -> tuple[list[Result], Packs]:
        results: list[Result] = []
        packs: Packs = []
        for key, _ in self._selector.select():
            worker: Any = key.fileobj
            done, arrived = self._receive(worker)
            self._busy[worker] -= 1
            results += done
            packs += arrived
        return results, packs

    def finish(self) -> Iterable[tuple[Packs, Tail]]:
        for worker in self._busy:
            self._send(worker, None)
        for worker in self._busy:
            packs, tail = self._receive(worker)
            yield packs, Tail(*tail)
        for process in self._workers:
            process.join()

    def stop(self) -> None:
        for process in self._workers:
            process.kill()
        for process in self._workers:
            process.join()
        for worker in self._busy:
            worker.close()
        self._selector.close()

    def _send(self, worker: socket.socket, message: Any) -> None:
        try:
            send(worker, message)
        except OSError:
            self._receive(worker)  # perhaps it said why it ended
            raise WorkerError(_DIED) from None

    def _receive(self, worker: socket.socket) -> Any:
        try:
            answer = receive(worker)
        except OSError:
            answer = None
        if answer is None:
            raise WorkerError(_DIED)
        kind, *values = answer
        if kind == "error":
            name, text = values
            failed = f"A worker process failed ({name}: {text}); no snapshot was made."
            raise revived(name, text, otherwise=WorkerError(failed))
        return values


_DIED = (
    "A worker process ended unexpectedly (was it killed, or is memory short?), so no snapshot was "
    "made. What was stored so far is used by the next run; run the same command again."
)


def send(to: socket.socket, value: Any) -> None:
    """Send one value."""
    data = marshal.dumps(value)
    to.sendall(_LENGTH.pack(len(data)))
    to.sendall(data)


def receive(source: socket.socket) -> Any:
    """The next value; None when the other side is gone."""
    head = _receive_exactly(source, _LENGTH.size)
    if head is None:
        return None
    data = _receive_exactly(source, _LENGTH.unpack(head)[0])
    return None if data is None else marshal.loads(data)  # noqa: S302, from our own process


def _receive_exactly(source: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    view, held = memoryview(data), 0
    while held < size:
        count = source.recv_into(view[held:])
        if not count:
            return None
        held += count
    return data


def _serve(parent: socket.socket, foreign: list[socket.socket], setup: WorkerSetup) -> None:
    """A worker process from beginning to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for end in foreign:
        end.close()
    gc.disable()
    try:
        _work(parent, Worker(setup._replace(storage=setup.storage.fresh())))
    except BaseException as error:
        with contextlib.suppress(OSError, ValueError):
            send(parent, ("error", type(error).__name__, str(error)))
        os._exit(1)
    os._exit(0)


def _work(parent: socket.socket, worker: Worker) -> None:
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(parent, jobs), daemon=True).start()
    while (batch := jobs.get()) is not None:
        results = [execute(worker, job) for job in batch]
        send(parent, ("done", results, worker.sent()))
    packs, tail = worker.finish()
    send(parent, ("done", packs, tuple(tail)))


def _listen(parent: socket.socket, jobs: "queue.SimpleQueue[Any]") -> None:
    """Receive at any time, so that neither side waits for the other to read."""
    while True:
        try:
            batch = receive_job(parent)
        except (OSError, EOFError):
            os._exit(1)  # the parent is gone, and with it the backup
        jobs.put(batch)


def receive_job(parent: socket.socket) -> Any:
    """The next jobs, or None for the end; EOFError when the parent is gone."""
    head = _receive_exactly(parent, _LENGTH.size)
    data = None if head is None else _receive_exactly(parent, _LENGTH.unpack(head)[0])
    if data is None:
        raise EOFError
    return marshal.loads(data)  # noqa: S302, from our own process
