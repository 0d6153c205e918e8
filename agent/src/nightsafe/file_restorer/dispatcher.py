"""Hands batches of restore work to the workers, and finishes each when all of it is done.

What is little is done in this process; no more than two batches are under way at once.
"""

import time
from collections import deque
from collections.abc import Callable

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.errors import DamagedError
from nightsafe.file_restorer.batch import Batch
from nightsafe.file_restorer.comparison import Compared, Comparison
from nightsafe.file_restorer.file_writer import FileWriter, Outcome
from nightsafe.file_restorer.finisher import FileFinisher, Listener, path_of
from nightsafe.file_restorer.read_plan import Job, Piece, arrange
from nightsafe.repofile.index import Index
from nightsafe.repofile.pack import BlobKind
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.workers.pool import WorkerPool

IN_PROCESS_PIECES, _IN_PROCESS_BYTES = 200, 8 << 20
IN_PROCESS_COMPARISONS = 1
_LOOK_SECONDS = 0.002
_Pool = WorkerPool[Job | Comparison, Outcome | Compared]


class Dispatcher:
    """Feeds `workers` processes, which `start` writers of their own; 0 for this process alone.

    `compared` is called with what became of each comparison.
    """

    def __init__(
        self,
        start: Callable[[], FileWriter],
        index: Index,
        *,
        reader: BlobReader,
        listener: Listener,
        workers: int,
        compared: Callable[[Comparison, Compared], None],
    ) -> None:
        self.writer = start()
        self.batches: deque[Batch] = deque()
        """Those that were launched and are not finished, the oldest first."""
        self.finisher = FileFinisher(
            self.writer.folders, reader, index.locations(BlobKind.DATA), listener
        )
        self._start = start
        self._index = index
        self._reader = reader
        self._tell = listener
        self._workers = workers
        self._compared = compared
        self._pool: _Pool | None = None
        self._held: list[Comparison] = []
        self._look_at = 0.0

    def compare(self, job: Comparison) -> None:
        """Let workers compare, or keep it for us if it is little."""
        self._held.append(job)
        if self._workers and (self._pool or len(self._held) > IN_PROCESS_COMPARISONS):
            pool = self._with_workers()
            for held in self._held:
                pool.submit(held)
            self._held.clear()

    def compare_held(self) -> None:
        """Compare here what was kept for us."""
        held, self._held = self._held, []
        for job in held:
            self._compared(job, self.writer.compare(job))

    def send(self, batch: Batch) -> None:
        """Let a batch's pieces be fetched and written, when all that is to be is known."""
        batch.is_sent = True
        jobs: list[Job] = []
        for pack, pieces in batch.packs.items():
            end = self._index.pack_end(pack) if pack else 0
            place = batch.places.__getitem__
            jobs += arrange(batch.number, pack, pieces, pack_end=end, places=place)
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
        """Take what the workers have done, if it is time to look; it costs as much as ten files."""
        if self._pool is not None and time.monotonic() >= self._look_at:
            self._settle_ready(self._pool, wait=False)
            self._look_at = time.monotonic() + _LOOK_SECONDS

    def wait(self, allowed: int) -> None:
        """Until no more than `allowed` batches are under way."""
        self._finish_ready()
        while len(self.batches) > allowed and self._pool is not None:
            self._settle_ready(self._pool, wait=True)
            self._finish_ready()

    def end(self) -> None:
        """Let the workers go."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _with_workers(self) -> _Pool:
        if self._pool is None:
            self._pool = WorkerPool(self._start, self._workers)
        return self._pool

    def _settle_ready(self, pool: _Pool, *, wait: bool) -> None:
        for job, outcome in pool.results(wait=wait):
            if isinstance(job, Comparison) and isinstance(outcome, Compared):
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
        self._tell.advanced(outcome.bytes)
        problems, notes = dict(outcome.failed), dict(outcome.notes)
        for number in outcome.lost:
            problems[number], notes[number] = self._retry(job, job.pieces[number])
        for number in sorted({*problems, *notes}):
            problem, note = problems.get(number, ""), notes.get(number, "")
            self._tell_trouble(batch, job, job.pieces[number], problem=problem, note=note)
        leads = {number: path_of(place, b"") for number, place in job.places.items()}
        done = [
            (leads[place] + name, "restored", plain_length or max(0, length - OVERHEAD))
            for number, (_, length, plain_length, _, place, name, _, _, its) in enumerate(
                job.pieces
            )
            if its is not None and not problems.get(number)
        ]
        if done:
            self._tell.restored(done)

    def _tell_trouble(
        self, batch: Batch, job: Job, piece: Piece, *, problem: str, note: str
    ) -> None:
        path = path_of(job.places[piece.place], piece.name)
        if piece.attributes is None:
            unfinished = batch.unfinished[piece.file]
            unfinished.problem = unfinished.problem or problem
        elif problem:
            self._tell.failed(path, problem)
        elif note:
            self._tell.noted(path, note)

    def _retry(self, job: Job, piece: Piece) -> tuple[str, str]:
        """Ask for a blob again, in all its copies, and write it here."""
        try:
            data = self._reader.load(BlobKind.DATA, piece.blob)
        except DamagedError as error:
            return f"it was not restored. {error}", ""
        self._tell.advanced(len(data))
        return self.writer.put(job.places[piece.place], piece, data)
