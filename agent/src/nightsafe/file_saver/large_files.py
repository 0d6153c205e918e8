"""Cuts large files in the main process; the workers read and seal the pieces."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from nightsafe.chunker.chunker import BUFFER_SIZE, Chunker, Cut
from nightsafe.file_saver.file_reader import doubts, read_into, replaced
from nightsafe.file_saver.node_json import encode_file
from nightsafe.file_saver.worker import PIECE_KEPT, state_of
from nightsafe.fs.files import fstat, open_to_read
from nightsafe.fs.status import Status
from nightsafe.scanner.lister import Problem, problem_of
from nightsafe.workers.shared_buffers import SharedBuffers

_JOB_BYTES = 5 << 20
_LITTLE = 1 << 20
_OPEN_FILES = 4
MUCH = 256 << 20

LargeJob = tuple[object, ...]
"""Pieces that are in memory which all see: ("pieces", key, sequence, [(place, length)]); or for
those who do not see it: ("ranges", key, sequence, path, identity, [(offset, length)])."""


@dataclass
class LargeFile:
    """One large file on its way. `owner` is whatever waits for its node.

    `former` are its blobs' ids in JSON if it looks as it did, and `state` is what it proved to be.

    `problems` say what is amiss; if it is so much that there can be no node, `is_lost`.
    """

    owner: object
    position: int
    name: bytes
    path: bytes
    is_new: bool
    former: str | None = None
    state: str = ""
    ids: dict[int, str] = field(default_factory=dict)
    buffers: dict[int, int] = field(default_factory=dict)
    size: int = 0
    submitted: int = 0
    is_cut: bool = False
    problems: list[Problem] = field(default_factory=list)
    is_lost: bool = False
    fd: int = -1
    before: Status | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is to come."""
        return self.is_cut and len(self.ids) == self.submitted

    def lose(self, problem: Problem) -> None:
        """Note why the file stays out; the first reason is enough."""
        if not self.is_lost:
            self.problems.append(problem)
        self.is_lost = True

    def finish(self) -> bytes:
        """The node's JSON, empty if the file stays out."""
        before = self.before
        if self.fd < 0 or before is None:
            return b""
        try:
            if self.is_lost:
                return b""
            self.problems += doubts(self.path, before, fstat(self.fd), self.size)
            ids = ",".join(ids for _, ids in sorted(self.ids.items()) if ids)
            self.state = state_of(ids, self.former, is_new=self.is_new)
            size, problems = self.size, self.problems
            node = encode_file(
                self.name, self.path, before, size=size, ids=f"[{ids}]", problems=problems
            )
            return node.encode()
        except OSError as error:
            self.lose(problem_of(self.path, error))
            return b""
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class LargeFiles:
    """All large files that were found and are not finished.

    `shares` says whether all workers, `workers` of them, see this process's shared memory.
    """

    def __init__(self, chunker: Chunker, *, workers: int, shares: bool) -> None:
        self._chunker = chunker
        self._shares = shares
        # What is hashed together takes the less time the more it is: a job is a buffer, almost.
        self._enough, self._most = _JOB_BYTES, PIECE_KEPT
        if shares:
            self._enough, self._most = BUFFER_SIZE - _LITTLE, BUFFER_SIZE
        self._buffers = SharedBuffers(BUFFER_SIZE, max(2, workers) + 1)
        self._waiting: list[LargeFile] = []
        self._open: dict[int, LargeFile] = {}
        self._cutting: Iterator[LargeJob | None] | None = None
        self._next_key = 0

    @property
    def shared(self) -> memoryview | None:
        """The memory in which workers find pieces; None if they do not."""
        return self._buffers.memory if self._shares else None

    @property
    def is_much(self) -> bool:
        """Whether a file that is being cut is worth workers from the beginning."""
        file = self._open.get(self._next_key - 1)
        return file is not None and file.before is not None and file.before.st_size >= MUCH

    def add(self, file: LargeFile) -> None:
        """Note a file that was found."""
        self._waiting.append(file)

    def next_job(self) -> LargeJob | LargeFile | None:
        """The next piece of work; a file that came to nothing; or None if there is none now."""
        while True:
            if self._cutting is not None:
                for job in self._cutting:
                    return job
                self._cutting = None
                file = self._open[self._next_key - 1]
                file.is_cut = True
                if file.is_finished:
                    return self._open.pop(self._next_key - 1)
            if not self._waiting or len(self._open) >= _OPEN_FILES:
                return None
            file = self._waiting.pop()
            key, self._next_key = self._next_key, self._next_key + 1
            self._open[key] = file
            self._cutting = self._jobs(key, file)

    def stored(self, key: int, sequence: int, ids: str, size: int) -> LargeFile | None:
        """Note what a worker stored; returns the file if it is finished now."""
        file = self._open[key]
        file.ids[sequence] = ids
        if sequence in file.buffers:
            self._buffers.release(file.buffers.pop(sequence))
        file.size += size
        return self._open.pop(key) if file.is_finished else None

    def unread(self, key: int, sequence: int, problem: Problem) -> LargeFile | None:
        """Note what a worker could not read."""
        self._open[key].lose(problem)
        return self.stored(key, sequence, "", 0)

    def close(self) -> None:
        """Let go of all files."""
        for file in self._open.values():
            file.close()

    def _jobs(self, key: int, file: LargeFile) -> Iterator[LargeJob | None]:
        """Cut a file and yield its pieces, some chunks at a time; None while no buffer is free."""
        try:
            file.fd = fd = open_to_read(file.path)
            file.before = status = fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                file.lose(replaced(file.path))
                return
            cuts: list[Cut] = []
            size = 0
            for cut in self._chunker.scan(lambda view, at: read_into(fd, view, at), self._buffers):
                if cut is None:
                    yield None
                    continue
                if cuts and (size + cut.length > self._most or self._is_elsewhere(cuts[0], cut)):
                    yield self._job(key, file, cuts)
                    cuts, size = [], 0
                cuts.append(cut)
                size += cut.length
                if size >= self._enough:
                    yield self._job(key, file, cuts)
                    cuts, size = [], 0
            if cuts:
                yield self._job(key, file, cuts)
        except OSError as error:
            file.lose(problem_of(file.path, error))

    def _is_elsewhere(self, one: Cut, other: Cut) -> bool:
        return self._buffers.buffer_of(one.place) != self._buffers.buffer_of(other.place)

    def _job(self, key: int, file: LargeFile, cuts: list[Cut]) -> LargeJob:
        sequence = file.submitted
        file.submitted += 1
        if self._shares:
            file.buffers[sequence] = buffer = self._buffers.buffer_of(cuts[0].place)
            self._buffers.acquire(buffer)
            return "pieces", key, sequence, [(cut.place, cut.length) for cut in cuts]
        status = file.before
        identity = (status.st_dev, status.st_ino) if status is not None else (0, 0)
        ranges = [(cut.offset, cut.length) for cut in cuts]
        return "ranges", key, sequence, file.path, identity, ranges
