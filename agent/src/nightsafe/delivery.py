"""Between the walk through the trees and the workers: files gathered, sent out, finished.

Files come in one by one and are gathered into waves of bounded size. The jobs of a wave go
to the workers pack by pack; when all are done its large files get their names, its hard
links are made, and the folders that were left in it get their times. Meanwhile the next
wave is gathered, so neither memory nor waiting grows with the snapshot.
"""

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any

from nightsafe.crypto import OVERHEAD
from nightsafe.directory import Directory, discard, temporary_name
from nightsafe.errors import DamagedError, RestoreError
from nightsafe.fetch import BlobReader
from nightsafe.index import BlobLocation
from nightsafe.metadata import described
from nightsafe.pack import BlobKind
from nightsafe.plan import Job, Piece, Place, arrange
from nightsafe.porters import Porters
from nightsafe.repository import Repository
from nightsafe.system import TO_WRITE
from nightsafe.target import write_all
from nightsafe.tree import Node
from nightsafe.waves import Link, Unfinished, Wave
from nightsafe.writer import Outcome, Writer, describe

_FIRST_WAVE, _LARGEST_WAVE = 1000, 32_000
_IN_PROCESS_PIECES, _IN_PROCESS_BYTES = 200, 8 << 20
_WAVES_AT_ONCE = 2
_LOOK_SECONDS = 0.002
_NOTHING = BlobLocation(b"", 0, 0, 0)
_piece: Callable[[Iterable[Any]], Piece] = partial(tuple.__new__, Piece)
_briefly: Callable[[Node], tuple[bytes, int, int, tuple[bytes, ...] | None]]
_briefly = itemgetter(*map(Node._fields.index, ("name", "size", "links", "content")))


class Listener:
    """Who hears what became of the entries; the paths begin at the target."""

    def restored(self, files: list[tuple[bytes, str, int]]) -> None:
        """Files are complete under their names: path, "restored", bytes."""

    def advanced(self, size: int) -> None:
        """So many bytes were written."""

    def noted(self, path: bytes, text: str) -> None:
        """Something about an entry could not be set."""

    def failed(self, path: bytes, text: str) -> None:
        """An entry was not restored."""


class Delivery:
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
        self._start = partial(Writer, repository.storage, repository.master, target, clears=clears)
        self._writer = self._start()
        self._workers = workers
        self._porters: Porters[Job, Outcome] | None = None
        self._links: dict[tuple[int, int, int], Unfinished] = {}
        self._waves: deque[Wave] = deque()
        self._wave = Wave(0)
        self._limit = _FIRST_WAVE
        self._look_at = 0.0

    def files(self, place: Place, nodes: Iterable[Node]) -> list[Node]:
        """Take those files that have one name and one blob at most, as nearly all have.

        The others are returned, and those whose blob is not known or of another size than they
        are; `file` is for them.
        """
        wave, get = self._wave, self._located.get
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
            self._begin(place, name, node, folder)
        else:
            blob = content[0] if content else b""
            where = self._locate(blob) if content else _NOTHING
            self._wave.add(place, name, where, blob, attributes=described(node))

    def _file_of_names(self, place: Place, name: bytes, node: Node, folder: Directory) -> None:
        first = self._links.get(_key(node))
        if first is None:
            self._links[_key(node)] = self._begin(place, name, node, folder)
            return
        self._wave.links.append(Link(place, name, node, first))
        self._wave.pieces += 1

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
            self._tell.noted(_path(place, node.name), ", ".join(lost))
        if node.links > 1 and first is None:
            kept = Unfinished(place, node.name, b"", node, identity, is_done=True)
            self._links[_key(node)] = kept
        return True

    def left(self, place: Place, node: Node) -> None:
        """Take a folder whose entries have all been taken; children before parents."""
        self._wave.left.append((place, node))

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
                    self._drop(unfinished)
        self._writer.close()

    def _close(self) -> None:
        if self._porters is not None:
            self._porters.close()
            self._porters = None

    def close(self) -> None:
        """Let go of the folders, after `finish`."""
        self._writer.close()

    def _locate(self, blob: bytes) -> BlobLocation:
        where = self._located.get(blob)
        if where is None:
            raise DamagedError(f"The data blob {blob.hex()[:8]} is in no index.")
        return where

    def _begin(self, place: Place, name: bytes, node: Node, folder: Directory) -> Unfinished:
        found = [self._locate(blob) for blob in node.content or ()]
        with self._new(place, name, node, found, folder) as unfinished:
            number = len(self._wave.unfinished)
            self._wave.unfinished.append(unfinished)
        position = 0
        for blob, where in zip(node.content or (), found, strict=True):
            self._wave.add(place, unfinished.temporary, where, blob, position=position, file=number)
            position += _plain_length(where)
        return unfinished

    @contextlib.contextmanager
    def _new(
        self, place: Place, name: bytes, node: Node, found: list[BlobLocation], folder: Directory
    ) -> Iterator[Unfinished]:
        """A file of the right length under a temporary name; removed if the block fails."""
        temporary = temporary_name()
        fd = folder.new_file(temporary)
        try:
            with open(fd, "wb", buffering=0):
                os.ftruncate(fd, sum(map(_plain_length, found)))
                status = os.fstat(fd)
            yield Unfinished(place, name, temporary, node, (status.st_dev, status.st_ino))
        except BaseException:
            discard(temporary, folder)
            raise

    def _launch(self) -> None:
        wave, self._wave = self._wave, Wave(self._wave.number + 1)
        self._waves.append(wave)
        jobs: list[Job] = []
        for pack, pieces in wave.packs.items():
            end = self._index.pack_end(pack) if pack else 0
            jobs += arrange(wave.number, pack, pieces, pack_end=end, places=wave.places.__getitem__)
        wave.packs = {}
        wave.open_jobs = len(jobs)
        is_small = wave.pieces <= _IN_PROCESS_PIECES and wave.size <= _IN_PROCESS_BYTES
        if self._porters is None and self._workers and not is_small:
            self._porters = Porters(self._start, self._workers)
        for job in jobs:
            if self._porters is None:
                self._settle(job, self._writer.run(job, self._writer.fetch(job)))
            else:
                self._porters.submit(job)

    def _wait(self, allowed: int) -> None:
        """Until no more than `allowed` waves are under way."""
        self._finish_ready()
        while len(self._waves) > allowed and self._porters is not None:
            self._settle_ready(self._porters, wait=True)
            self._finish_ready()

    def _settle_ready(self, porters: Porters[Job, Outcome], *, wait: bool) -> None:
        for job, outcome in porters.results(wait=wait):
            self._settle(job, outcome)

    def _finish_ready(self) -> None:
        while self._waves and not self._waves[0].open_jobs:
            self._finish_wave(self._waves[0])
            self._waves.popleft()

    def _settle(self, job: Job, outcome: Outcome) -> None:
        wave = self._waves[job.wave - self._waves[0].number]
        wave.open_jobs -= 1
        self._tell.advanced(outcome.bytes)
        problems, notes = dict(outcome.failed), dict(outcome.notes)
        for number in outcome.lost:
            problems[number], notes[number] = self._retry(job, job.pieces[number])
        for number in sorted({*problems, *notes}):
            problem, note = problems.get(number, ""), notes.get(number, "")
            self._tell_trouble(wave, job, job.pieces[number], problem=problem, note=note)
        leads = {number: _path(place, b"") for number, place in job.places.items()}
        done = [
            (leads[place] + name, "restored", plain_length or max(0, length - OVERHEAD))
            for number, (_, length, plain_length, _, place, name, _, _, its) in enumerate(
                job.pieces
            )
            if its is not None and not problems.get(number)
        ]
        if done:
            self._tell.restored(done)

    def _tell_trouble(self, wave: Wave, job: Job, piece: Piece, *, problem: str, note: str) -> None:
        path = _path(job.places[piece.place], piece.name)
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

    def _told(self, path: bytes, node: Node, problem: str, note: str = "") -> None:
        if problem:
            self._tell.failed(path, problem)
            return
        if note:
            self._tell.noted(path, note)
        self._tell.restored([(path, "restored", node.size)])

    def _finish_wave(self, wave: Wave) -> None:
        for unfinished in wave.unfinished:
            self._finish_file(unfinished)
        for link in wave.links:
            self._finish_link(link)
        for place, node in wave.left:
            self._finish_folder(place, node)

    def _finish_file(self, unfinished: Unfinished) -> None:
        note = ""
        if not unfinished.problem:
            try:
                note = self._publish(unfinished)
                unfinished.is_done = True
            except (OSError, OverflowError, ValueError) as error:
                unfinished.problem = describe(error)
        if unfinished.problem:
            self._drop(unfinished)
        path = _path(unfinished.place, unfinished.name)
        self._told(path, unfinished.node, unfinished.problem, note)

    def _publish(self, unfinished: Unfinished) -> str:
        folder = self._writer.folders.open(unfinished.place)
        lost = folder.set_of_file(unfinished.temporary, unfinished.node)
        folder.rename(unfinished.temporary, unfinished.name, clears=self._writer.folders.clears)
        return ", ".join(lost)

    def _drop(self, unfinished: Unfinished) -> None:
        with contextlib.suppress(OSError, RestoreError):  # the folder may be gone
            discard(unfinished.temporary, self._writer.folders.open(unfinished.place))

    def _finish_link(self, link: Link) -> None:
        first = link.first
        path = _path(link.place, link.name)
        try:
            self._writer.folders.link(
                first.place, first.name, to=link.place, as_name=link.name, identity=first.identity
            )
        except OSError as error:
            self._told(path, link.node, self._copy_instead(link, error))
        else:
            self._told(path, link.node, "")

    def _copy_instead(self, link: Link, trouble: OSError) -> str:
        """A file of its own, where a link cannot be made; returns why that failed, if it did."""
        try:
            describe(trouble)  # a full disk ends the restore
            folder = self._writer.folders.open(link.place)
            found = [self._locate(blob) for blob in link.node.content or ()]
            with self._new(link.place, link.name, link.node, found, folder) as copy:
                self._fill(copy)
                self._publish(copy)
        except DamagedError as error:
            return f"it was not restored. {error}"
        except OSError as error:
            return describe(error)
        return ""

    def _fill(self, copy: Unfinished) -> None:
        folder = self._writer.folders.open(copy.place)
        fd = folder.open_file(copy.temporary, TO_WRITE)
        try:
            position = 0
            for blob in copy.node.content or ():
                data = self._reader.load(BlobKind.DATA, blob)
                write_all(fd, data, position)
                position += len(data)
                self._tell.advanced(len(data))
        finally:
            os.close(fd)

    def _finish_folder(self, place: Place, node: Node) -> None:
        lost = self._writer.folders.open(place).set_own(node)
        if lost:
            self._tell.noted(b"/" + place.path, ", ".join(lost))


def _key(node: Node) -> tuple[int, int, int]:
    """What the names of one file have in common."""
    return node.device_id, node.inode, hash(node.content)


def _plain_length(where: BlobLocation) -> int:
    return where.plain_length or where.length - OVERHEAD


def _path(place: Place, name: bytes) -> bytes:
    return b"/" + place.path + b"/" + name if place.path else b"/" + name
