"""Collects files to restore, hands them to the workers in batches, and finishes them.

Files come in one by one and are gathered into waves of bounded size. The jobs of a wave go
to the workers pack by pack; when all are done its large files get their names, its hard
links are made, and the folders that were left in it get their times. Meanwhile the next
wave is gathered, so neither memory nor waiting grows with the snapshot.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from typing import Any

from nightsafe.crypto.sealer import OVERHEAD
from nightsafe.errors import DamagedError
from nightsafe.file_restorer.batch import Batch, Left, Link, Unfinished
from nightsafe.file_restorer.comparison import Compared, Comparison, Gathering
from nightsafe.file_restorer.file_writer import FileWriter, Outcome, describe
from nightsafe.file_restorer.finisher import FileFinisher, Listener, locate, path_of, plain_length
from nightsafe.file_restorer.read_plan import Job, Piece, arrange
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.target.directory import Directory
from nightsafe.target.metadata import described
from nightsafe.target.place import Place
from nightsafe.workers.pool import WorkerPool

_FIRST_WAVE, _LARGEST_WAVE = 1000, 32_000
_IN_PROCESS_PIECES, _IN_PROCESS_BYTES = 200, 8 << 20
_IN_PROCESS_COMPARISONS = 1
_WAVES_AT_ONCE = 2
_LOOK_SECONDS = 0.002
_NOTHING = BlobLocation(b"", 0, 0, 0)
_piece: Callable[[Iterable[Any]], Piece] = partial(tuple.__new__, Piece)
_briefly: Callable[[Node], tuple[bytes, int, int, tuple[bytes, ...] | None]]
_briefly = itemgetter(*map(Node._fields.index, ("name", "size", "links", "content")))


class FileRestorer:
    """Takes files and brings them below the target. `abort` or `finish` must be called.

    If it `clears`, folders that are in the way of files go, with all that is below.
    """

    def __init__(
        self,
        repository: Repository,
        target: bytes,
        *,
        reader: BlobReader,
        listener: Listener,
        workers: int,
        clears: bool = False,
    ) -> None:
        self._index = repository.index
        self._located = repository.index.locations(BlobKind.DATA)
        self._reader = reader
        self._tell = listener
        self._start = partial(
            FileWriter, repository.storage, repository.master, target, clears=clears
        )
        self._writer = self._start()
        self._finisher = FileFinisher(self._writer.folders, reader, self._located, listener)
        self._workers = workers
        self._porters: WorkerPool[Job | Comparison, Outcome | Compared] | None = None
        self._links: dict[tuple[int, int, int], Unfinished] = {}
        self._waves: deque[Batch] = deque()
        self._wave = Batch(0)
        self._limit = _FIRST_WAVE
        self._look_at = 0.0
        self._gathering = Gathering(self._located)
        self._held: list[Comparison] = []

    def files(self, place: Place, nodes: Iterable[Node], wave: Batch | None = None) -> list[Node]:
        """Take those files that have one name and one blob at most, as nearly all have.

        The others are returned, and those whose blob is not known or of another size than they
        are; `file` is for them.
        """
        wave, get = wave or self._wave, self._located.get
        number, packs, others = wave.number_of(place), wave.packs, []
        for node in nodes:
            name, size, links, content = _briefly(node)
            if content is None or len(content) > 1 or links > 1:
                others.append(node)
                continue
            blob = content[0] if content else b""
            pack, offset, length, plain_length = get(blob, _NOTHING)
            if size != (plain_length or max(0, length - OVERHEAD)) or (content and not length):
                others.append(node)
                continue
            piece = (offset, length, plain_length, blob, number, name, 0, 0, described(node))
            packs[pack].append(_piece(piece))
            wave.pieces += 1
            wave.size += length
        return others

    def file(self, place: Place, name: bytes, node: Node, *, folder: Directory) -> None:
        """Take a file that shall be `name` in `place`, which is `folder`.

        OSError if it cannot be begun, DamagedError if one of its blobs is not known.
        """
        content = node.content or ()
        if node.links > 1:
            self._file_of_names(place, name, node, folder)
        elif len(content) > 1:
            self._begin(self._wave, place, name, node, folder)
        else:
            blob = content[0] if content else b""
            where = locate(self._located, blob) if content else _NOTHING
            self._wave.add(place, name, where, blob, attributes=described(node))

    def _file_of_names(self, place: Place, name: bytes, node: Node, folder: Directory) -> None:
        first = self._links.get(_key(node))
        if first is None:
            self._links[_key(node)] = self._begin(self._wave, place, name, node, folder)
            return
        self._wave.links.append(Link(place, name, node, first))
        self._wave.pieces += 1

    def compare(self, place: Place, nodes: Iterable[Node]) -> list[Node]:
        """Take files of which something has the name already: what is right stays, and gets its
        attributes; the others are made as if `files` had taken them.

        Those are returned that cannot be compared.
        """
        jobs, others = self._gathering.take(self._wave.number, place, nodes)
        for job in jobs:
            self._hand_out(job)
        return others

    def keep(self, place: Place, node: Node, status: os.stat_result, *, folder: Directory) -> bool:
        """Let the file that stands in `folder` under the node's name stay, which holds the same.

        It gets the node's attributes. False if it cannot stay: it has more names than the node,
        or is not the file that another name of the node leads to, or cannot be opened.
        """
        identity = status.st_dev, status.st_ino
        first = self._links.get(_key(node)) if node.links > 1 else None
        if status.st_nlink > max(node.links, 1) or (first and first.identity != identity):
            return False
        try:
            lost = folder.set_of_kept(node.name, node)
        except OSError:
            return False
        if lost:
            self._tell.noted(path_of(place, node.name), ", ".join(lost))
        if node.links > 1 and first is None:
            kept = Unfinished(place, node.name, b"", node, identity, is_done=True)
            self._links[_key(node)] = kept
        return True

    def left(self, place: Place, node: Node, *, is_new: bool) -> None:
        """Take a folder whose entries have all been taken; children before parents."""
        self._wave.left.append(Left(place, node, is_new))

    def pump(self) -> None:
        """Go on with what was taken; to be called often."""
        if self._wave.pieces + len(self._wave.left) >= self._limit:
            self._launch()
            self._limit = min(2 * self._limit, _LARGEST_WAVE)
            self._wait(_WAVES_AT_ONCE)
        elif self._porters is not None and time.monotonic() >= self._look_at:
            # Not each time: to ask the workers costs as much as to take in ten files.
            self._settle_ready(self._porters, wait=False)
            self._look_at = time.monotonic() + _LOOK_SECONDS

    def finish(self) -> None:
        """Complete everything that was taken."""
        self._launch()
        self._wait(0)
        self._close()

    def abort(self) -> None:
        """Stop at once; what is not complete is removed."""
        self._close()
        for wave in (*self._waves, self._wave):
            for unfinished in wave.unfinished:
                if not unfinished.is_done:
                    self._finisher.drop(unfinished)
        self._writer.close()

    def _close(self) -> None:
        if self._porters is not None:
            self._porters.close()
            self._porters = None

    def close(self) -> None:
        """Let go of the folders, after `finish`."""
        self._writer.close()

    def _begin(
        self, wave: Batch, place: Place, name: bytes, node: Node, folder: Directory
    ) -> Unfinished:
        found = [locate(self._located, blob) for blob in node.content or ()]
        with self._finisher.begin(place, name, node, found, folder) as unfinished:
            number = len(wave.unfinished)
            wave.unfinished.append(unfinished)
        position = 0
        for blob, where in zip(node.content or (), found, strict=True):
            wave.add(place, unfinished.temporary, where, blob, position=position, file=number)
            position += plain_length(where)
        return unfinished

    def _launch(self) -> None:
        for job in self._gathering.rest(self._wave.number):
            self._hand_out(job)
        self._compare_here()
        wave, self._wave = self._wave, Batch(self._wave.number + 1)
        self._waves.append(wave)
        if not wave.open_comparisons:
            self._send(wave)

    def _hand_out(self, job: Comparison) -> None:
        """Let workers compare, or keep it for us if it is little."""
        self._wave.open_comparisons += 1
        self._wave.pieces += job.checks
        self._held.append(job)
        if self._workers and (self._porters or len(self._held) > _IN_PROCESS_COMPARISONS):
            porters = self._with_workers()
            for held in self._held:
                porters.submit(held)
            self._held.clear()

    def _compare_here(self) -> None:
        held, self._held = self._held, []
        for job in held:
            self._settle_comparison(job, self._writer.compare(job))

    def _with_workers(self) -> "WorkerPool[Job | Comparison, Outcome | Compared]":
        if self._porters is None:
            self._porters = WorkerPool(self._start, self._workers)
        return self._porters

    def _send(self, wave: Batch) -> None:
        """Let a wave's pieces be fetched and written, when all that is to be is known."""
        wave.is_sent = True
        jobs: list[Job] = []
        for pack, pieces in wave.packs.items():
            end = self._index.pack_end(pack) if pack else 0
            jobs += arrange(wave.number, pack, pieces, pack_end=end, places=wave.places.__getitem__)
        is_small = sum(map(len, wave.packs.values())) <= _IN_PROCESS_PIECES
        is_small = is_small and wave.size <= _IN_PROCESS_BYTES
        wave.packs = {}
        wave.open_jobs = len(jobs)
        if self._workers and not is_small:
            self._with_workers()
        for job in jobs:
            if self._porters is None:
                self._settle(job, self._writer.write(job, self._writer.fetch(job)))
            else:
                self._porters.submit(job)

    def _wait(self, allowed: int) -> None:
        """Until no more than `allowed` waves are under way."""
        self._finish_ready()
        while len(self._waves) > allowed and self._porters is not None:
            self._settle_ready(self._porters, wait=True)
            self._finish_ready()

    def _settle_ready(
        self, porters: "WorkerPool[Job | Comparison, Outcome | Compared]", *, wait: bool
    ) -> None:
        for job, outcome in porters.results(wait=wait):
            if isinstance(job, Comparison) and isinstance(outcome, Compared):
                self._settle_comparison(job, outcome)
            elif isinstance(job, Job) and isinstance(outcome, Outcome):
                self._settle(job, outcome)

    def _finish_ready(self) -> None:
        while self._waves and self._waves[0].is_sent and not self._waves[0].open_jobs:
            self._finisher.finish(self._waves[0])
            self._waves.popleft()

    def _wave_of(self, number: int) -> Batch:
        is_current = number == self._wave.number
        return self._wave if is_current else self._waves[number - self._waves[0].number]

    def _settle_comparison(self, job: Comparison, outcome: Compared) -> None:
        wave = self._wave_of(job.wave)
        wave.open_comparisons -= 1
        others, notes = set(outcome.others), dict(outcome.notes)
        right: list[tuple[bytes, str, int]] = []
        number = -1
        for place, _, nodes in job.groups:
            for node in nodes:
                number += 1
                if note := notes.get(number, ""):
                    self._tell.noted(path_of(place, node.name), note)
                is_right: bool | None = number not in others
                if self._gathering.parts:
                    is_right = self._put_together(place, node, is_right=number not in others)
                if is_right:
                    right.append((path_of(place, node.name), "unchanged", node.size))
                elif is_right is not None:
                    self._make_other(wave, place, node)
        if right:
            self._tell.kept(right)
        if not wave.open_comparisons and wave is not self._wave:
            self._send(wave)

    def _put_together(self, place: Place, node: Node, *, is_right: bool) -> bool | None:
        """Whether a file is right of which this is a part, or all; None while that is open."""
        parts = self._gathering.parts.get((place.path, node.name))
        if parts is None:
            return is_right
        parts.left -= 1
        parts.is_right = parts.is_right and is_right
        if parts.left:
            return None
        del self._gathering.parts[place.path, node.name]
        return parts.is_right and self._set_kept(place, node)

    def _set_kept(self, place: Place, node: Node) -> bool:
        """Set the attributes of a file that was found right in parts."""
        try:
            lost = self._writer.folders.open(place).set_of_kept(node.name, node)
        except OSError:
            return False
        if lost:
            self._tell.noted(path_of(place, node.name), ", ".join(lost))
        return True

    def _make_other(self, wave: Batch, place: Place, node: Node) -> None:
        """Take a file that is not what it should be."""
        try:
            if self.files(place, [node], wave):
                self._begin(wave, place, node.name, node, self._writer.folders.open(place))
        except (OSError, OverflowError, ValueError) as error:
            self._tell.failed(path_of(place, node.name), describe(error))

    def _settle(self, job: Job, outcome: Outcome) -> None:
        wave = self._wave_of(job.wave)
        wave.open_jobs -= 1
        self._tell.advanced(outcome.bytes)
        problems, notes = dict(outcome.failed), dict(outcome.notes)
        for number in outcome.lost:
            problems[number], notes[number] = self._retry(job, job.pieces[number])
        for number in sorted({*problems, *notes}):
            problem, note = problems.get(number, ""), notes.get(number, "")
            self._tell_trouble(wave, job, job.pieces[number], problem=problem, note=note)
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
        self, wave: Batch, job: Job, piece: Piece, *, problem: str, note: str
    ) -> None:
        path = path_of(job.places[piece.place], piece.name)
        if piece.attributes is None:
            unfinished = wave.unfinished[piece.file]
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
        return self._writer.put(job.places[piece.place], piece, data)


def _key(node: Node) -> tuple[int, int, int]:
    """What the names of one file have in common."""
    return node.device_id, node.inode, hash(node.content)
