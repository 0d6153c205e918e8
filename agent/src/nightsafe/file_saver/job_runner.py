"""Runs a backup's jobs in this process at first, and in a pool of workers once it is worth it.

Jobs and results are plain tuples, see `worker`; they come and go in batches.
"""

import os
from collections.abc import Iterable
from functools import partial
from typing import Any, Protocol

from nightsafe.errors import WorkerError
from nightsafe.file_saver.worker import JobResult, Worker, WorkerSetup
from nightsafe.packer.pack_builder import Tail
from nightsafe.scanner.lister import problem_of
from nightsafe.workers.channel import PLAIN_VALUES
from nightsafe.workers.pool import WorkerPool

Job = tuple[Any, ...]
Result = tuple[Any, ...]
Packs = list[tuple[bytes, bytes, int]]
CONSEQUENCE = "No snapshot was made; what was stored so far is used by the next run."


class JobRunner(Protocol):
    """Takes jobs and gives results, in no particular order."""

    def has_room(self) -> bool:
        """Whether a job would be taken up soon."""

    def submit(self, jobs: list[Job]) -> None:
        """Take on a batch of jobs."""

    def results(self) -> tuple[list[Result], Packs]:
        """Wait for some results; also returns the packs that arrived meanwhile."""

    def finish(self) -> Iterable[tuple[Packs, Tail]]:
        """Let each worker send what it has; yields the packs that arrived, and each one's tail."""

    def close(self) -> None:
        """End everything, at once if work is left."""


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


class InlineRunner:
    """This process itself, for what is so little that others would not help."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._worker = Worker(setup)
        self._results: list[Result] = []

    def has_room(self) -> bool:
        return not self._results

    def submit(self, jobs: list[Job]) -> None:
        self._results += [execute(self._worker, job) for job in jobs]

    def results(self) -> tuple[list[Result], Packs]:
        results, self._results = self._results, []
        return results, self._worker.sent()

    def finish(self) -> Iterable[tuple[Packs, Tail]]:
        packs, tail = self._worker.finish()
        yield packs, tail

    def close(self) -> None:
        """There is nothing to end."""


class PoolRunner:
    """Worker processes."""

    def __init__(self, setup: WorkerSetup, count: int) -> None:
        self._pool: WorkerPool[list[Job] | None, tuple[Any, ...]] = WorkerPool(
            partial(_FileSaving, setup), count, consequence=CONSEQUENCE, codec=PLAIN_VALUES
        )

    def has_room(self) -> bool:
        return self._pool.has_room()

    def submit(self, jobs: list[Job]) -> None:
        self._pool.submit(jobs)

    def results(self) -> tuple[list[Result], Packs]:
        results: list[Result] = []
        packs: Packs = []
        for _, (done, arrived) in self._pool.results(wait=True):
            results += done
            packs += arrived
        return results, packs

    def finish(self) -> Iterable[tuple[Packs, Tail]]:
        for packs, tail in self._pool.ask_each(None):
            yield packs, Tail(*tail)

    def close(self) -> None:
        self._pool.close()


class _FileSaving:
    """What a worker process of a backup does: a batch of jobs, or None to finish."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._worker = Worker(setup._replace(storage=setup.storage.fresh()))

    def fetch(self, jobs: list[Job] | None) -> bytes:
        """Nothing: files are read when their job is done."""
        return b""

    def run(self, jobs: list[Job] | None, fetched: bytes) -> tuple[Any, ...]:
        """The batch's results and the packs that arrived, or those and the tail."""
        if jobs is None:
            packs, tail = self._worker.finish()
            return packs, tuple(tail)
        return [execute(self._worker, job) for job in jobs], self._worker.sent()

    def orphaned(self) -> None:
        """End at once, whatever is being read or sent: nobody would list it in an index."""
        os._exit(1)

    def close(self) -> None:
        """There is nothing to clean up."""
