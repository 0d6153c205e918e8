"""Sends batches of restore work to the workers, and finishes each when it is done.

Small batches are done in this process; at most two batches are in progress at once.
"""

import time
from collections import deque
from collections.abc import Callable

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.errors import DamagedError
from nightsafe.file_restorer.batch import Batch
from nightsafe.file_restorer.comparison import CompareJob, CompareResult
from nightsafe.file_restorer.file_writer import FileWriter, Outcome
from nightsafe.file_restorer.finisher import FileFinisher, Listener, path_of
from nightsafe.file_restorer.read_plan import Job, Piece, plan_jobs
from nightsafe.repofile.index import Index
from nightsafe.repofile.pack import BlobKind
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.workers.pool import WorkerPool

IN_PROCESS_PIECES, _IN_PROCESS_BYTES = 200, 8 << 20
IN_PROCESS_COMPARISONS = 1
_POLL_SECONDS = 0.002
_Pool = WorkerPool[Job | CompareJob, Outcome | CompareResult]


class Dispatcher:
    """Feeds `workers` processes, each with a writer made by `start`; 0 for this process alone.

    `compared` is called with the result of each comparison.
    """

    def __init__(
        self,
        start: Callable[[], FileWriter],
        index: Index,
        *,
        reader: BlobReader,
        listener: Listener,
        workers: int,
        compared: Callable[[CompareJob, CompareResult], None],
    ) -> None:
        self.writer = start()
        self.batches: deque[Batch] = deque()
        """Batches in progress, the oldest first."""
        self.finisher = FileFinisher(
            self.writer.folders, reader, index.locations(BlobKind.DATA), listener
        )
        self._start = start
        self._index = index
        self._reader = reader
        self._listener = listener
        self._workers = workers
        self._compared = compared
        self._pool: _Pool | None = None
        self._deferred: list[CompareJob] = []
        self._next_poll = 0.0

    def compare(self, job: CompareJob) -> None:
        """Submit a comparison, or defer it to this process if there is little to compare."""
        self._deferred.append(job)
        if self._workers and (self._pool or len(self._deferred) > IN_PROCESS_COMPARISONS):
            pool = self._with_workers()
            for deferred in self._deferred:
                pool.submit(deferred)
            self._deferred.clear()

    def compare_deferred(self) -> None:
        """Do the deferred comparisons in this process."""
        deferred, self._deferred = self._deferred, []
        for job in deferred:
            self._compared(job, self.writer.compare(job))

    def send(self, batch: Batch) -> None:
        """Submit a batch's pieces, once all of them are known."""
        batch.is_sent = True
        jobs: list[Job] = []
        for pack, pieces in batch.packs.items():
            end = self._index.pack_end(pack) if pack else 0
            ref = batch.refs.__getitem__
            jobs += plan_jobs(batch.number, pack, pieces, pack_end=end, refs=ref)
        is_small = sum(map(len, batch.packs.values())) <= IN_PROCESS_PIECES
        is_small = is_small and batch.size <= _IN_PROCESS_BYTES
        batch.packs = {}
        batch.open_jobs = len(jobs)
        if self._workers and not is_small:
            self._with_workers()
        for job in jobs:
            if self._pool is None:
                self._settle(job, self.writer.write(job, self.writer.fetch(job)))
            else:
                self._pool.submit(job)

    def poll(self) -> None:
        """Collect results, but rarely, since that costs as much as ten files."""
        if self._pool is not None and time.monotonic() >= self._next_poll:
            self._settle_ready(self._pool, wait=False)
            self._next_poll = time.monotonic() + _POLL_SECONDS

    def wait(self, allowed: int) -> None:
        """Wait until at most `allowed` batches are in progress."""
        self._finish_ready()
        while len(self.batches) > allowed and self._pool is not None:
            self._settle_ready(self._pool, wait=True)
            self._finish_ready()

    def end(self) -> None:
        """Stop the workers."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _with_workers(self) -> _Pool:
        if self._pool is None:
            self._pool = WorkerPool(self._start, self._workers)
        return self._pool

    def _settle_ready(self, pool: _Pool, *, wait: bool) -> None:
        for job, outcome in pool.results(wait=wait):
            if isinstance(job, CompareJob) and isinstance(outcome, CompareResult):
                self._compared(job, outcome)
            elif isinstance(job, Job) and isinstance(outcome, Outcome):
                self._settle(job, outcome)

    def _finish_ready(self) -> None:
        while self.batches and self.batches[0].is_sent and not self.batches[0].open_jobs:
            self.finisher.finish(self.batches[0])
            self.batches.popleft()

    def _settle(self, job: Job, outcome: Outcome) -> None:
        batch = self.batches[job.batch - self.batches[0].number]
        batch.open_jobs -= 1
        self._listener.advanced(outcome.bytes)
        problems, notes = dict(outcome.failed), dict(outcome.notes)
        for number in outcome.lost:
            problems[number], notes[number] = self._retry(job, job.pieces[number])
        for number in sorted({*problems, *notes}):
            problem, note = problems.get(number, ""), notes.get(number, "")
            self._report_problem(batch, job, job.pieces[number], problem=problem, note=note)
        leads = {number: path_of(ref, b"") for number, ref in job.refs.items()}
        done = [
            (leads[ref] + name, "restored", plain_length or max(0, length - OVERHEAD))
            for number, (_, length, plain_length, _, ref, name, _, _, attributes) in enumerate(
                job.pieces
            )
            if attributes is not None and not problems.get(number)
        ]
        if done:
            self._listener.restored(done)

    def _report_problem(
        self, batch: Batch, job: Job, piece: Piece, *, problem: str, note: str
    ) -> None:
        path = path_of(job.refs[piece.ref], piece.name)
        if piece.attributes is None:
            partial_file = batch.partial_files[piece.file]
            partial_file.problem = partial_file.problem or problem
        elif problem:
            self._listener.failed(path, problem)
        elif note:
            self._listener.noted(path, note)

    def _retry(self, job: Job, piece: Piece) -> tuple[str, str]:
        """Fetch a blob again, from all its copies, and write it in this process."""
        try:
            data = self._reader.load(BlobKind.DATA, piece.blob)
        except DamagedError as error:
            return f"it was not restored. {error}", ""
        self._listener.advanced(len(data))
        return self.writer.write_piece(job.refs[piece.ref], piece, data)
