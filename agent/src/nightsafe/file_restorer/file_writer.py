"""Writes verified blobs into files. Runs in worker processes.

A file is written under a temporary name, gets its attributes, and only then its own name.
"""

import errno
import os
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from nightsafe.backend.base import Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import NoCopyError, ObjectNotFoundError
from nightsafe.file_restorer import comparison
from nightsafe.file_restorer.comparison import Compared, Comparison
from nightsafe.file_restorer.read_plan import Job, Piece
from nightsafe.fs.files import TO_WRITE
from nightsafe.repofile.tree import posix_permissions
from nightsafe.repository.blob_reader import BlobOpener, SealedBlob
from nightsafe.target.directory import Directory, discard
from nightsafe.target.metadata import Attributes, Described
from nightsafe.target.place import Place
from nightsafe.target.target import Folders, raise_if_full, write_all

try:
    from nightsafe._native import file_writer as native
except ImportError:  # not built here
    native = None  # type: ignore[assignment]

_FILES_OPEN = 16
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)
_BATCH, _BATCH_BYTES = 64, 512 << 10
_LANES, _MOST_BYTES = 3, 6 << 20
SMALL_SIZE = 64 << 10
"""Smaller files are written in one step, without a look for holes."""


class Outcome(NamedTuple):
    """What became of a job's pieces, by their number in it.

    `lost` are those whose blob could not be read here, `failed` those that could not be
    written and why, `notes` what could not be set of those that were.
    """

    bytes: int
    lost: list[int]
    failed: list[tuple[int, str]]
    notes: list[tuple[int, str]]


class FileWriter:
    """Does jobs of a restore below the target; see `Folders` for what it `clears`."""

    def __init__(
        self, storage: Backend, master: SealKey, target: bytes, *, clears: bool = False
    ) -> None:
        self._storage = storage.fresh()
        self._opener = BlobOpener(Sealer(master))
        self.folders = Folders(target, clears=clears)
        self._files: OrderedDict[tuple[bytes, bytes], int] = OrderedDict()
        self._stem = secrets.token_hex(8).encode()
        self._count = 0
        self._making: tuple[Directory, bytes] | None = None

    def close(self) -> None:
        """Let go of files, folders and connections; a file that is not complete is removed."""
        if self._making is not None:
            folder, temporary = self._making
            discard(temporary, folder)
        while self._files:
            os.close(self._files.popitem()[1])
        self.folders.close()
        self._storage.close()

    def orphaned(self) -> None:
        """Go on with the job under way: `close` removes what is not complete after it."""

    def fetch(self, job: Job | Comparison) -> bytes:
        """The bytes of the pack that the job wants; empty if they cannot be had."""
        if isinstance(job, Comparison) or job.end <= job.start:
            return b""
        try:
            return self._storage.load(
                ObjectKind.DATA, job.pack.hex(), offset=job.start, length=job.end - job.start
            )
        except (NoCopyError, ObjectNotFoundError):
            return b""

    def run(self, job: Job | Comparison, fetched: bytes) -> Outcome | Compared:
        """What `compare` or `write` does."""
        return self.compare(job) if isinstance(job, Comparison) else self.write(job, fetched)

    def compare(self, job: Comparison) -> Compared:
        """Compare files with what they should be, and set the attributes of those that are."""
        return comparison.run(job, self.folders.open)

    def write(self, job: Job, fetched: bytes) -> Outcome:
        """Write all pieces. TargetFullError, or RestoreError if a folder was moved."""
        outcome, size = Outcome(0, [], [], []), 0
        for number, (piece, data) in enumerate(self._opened(memoryview(fetched), job)):
            if data is None:
                outcome.lost.append(number)
                continue
            size += len(data)
            problem, lost = self.put(job.places[piece.place], piece, data)
            if problem:
                outcome.failed.append((number, problem))
            elif lost:
                outcome.notes.append((number, lost))
        return outcome._replace(bytes=size)

    def _opened(self, view: memoryview, job: Job) -> Iterator[tuple[Piece, bytes | None]]:
        """Each piece with its content, which is None if it is lost. A blob that pieces share, one
        after the other, is opened once."""
        held: dict[int, bytes | None] = {}
        for batch in _batches(job.pieces):
            fresh = {p.offset: p for p in batch if p.length and p.offset not in held}
            blobs = [_sealed(view, job.start, piece) for piece in fresh.values()]
            held |= zip(fresh, self._opener.open_all(blobs), strict=True)
            for piece in batch:
                yield piece, held[piece.offset] if piece.length else b""
            last = batch[-1].offset
            held = {last: held[last]} if last in held else {}

    def put(self, place: Place, piece: Piece, data: bytes) -> tuple[str, str]:
        """Write one piece; returns why it failed, and which attributes could not be set."""
        try:
            if piece.attributes is None:
                self._put_part(place, piece, data)
                return "", ""
            return "", ", ".join(self._put_file(place, piece, data, piece.attributes))
        except (OSError, OverflowError, ValueError) as error:
            return describe(error), ""

    def _put_part(self, place: Place, piece: Piece, data: bytes) -> None:
        key = place.path, piece.name
        fd = self._files.get(key)
        if fd is None:
            folder = self.folders.open(place)
            fd = folder.open_file(piece.name, TO_WRITE)
            if not folder.keeps_files_open:
                with open(fd, "wb", buffering=0):
                    write_all(fd, data, piece.position)
                return
            self._files[key] = fd
            if len(self._files) > _FILES_OPEN:
                os.close(self._files.popitem(last=False)[1])
        write_all(fd, data, piece.position)

    def _put_file(self, place: Place, piece: Piece, data: bytes, its: Described) -> list[str]:
        folder = self.folders.open(place)
        self._count += 1
        temporary = b".nightsafe-%s-%d.part" % (self._stem, self._count)
        if not folder.hands_down_rights() and write_natively(folder.handle, temporary, piece, data):
            return []
        self._making = folder, temporary  # until it has its name: we may be told to stop
        fd = folder.new_file(temporary)
        try:
            try:
                write_content(fd, data)
            except BaseException:
                os.close(fd)
                raise
            lost = folder.complete(fd, temporary, Attributes(*its))
            folder.rename(temporary, piece.name, clears=self.folders.clears)
        except BaseException:
            discard(temporary, folder)
            self._making = None
            raise
        self._making = None
        return lost


def _batches(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Pieces whose blobs are opened and hashed together: three at least, as that is faster, but
    otherwise so few that caches hold them."""
    start = size = 0
    for end, piece in enumerate(pieces, 1):
        size += piece.plain_length or piece.length
        most = _BATCH_BYTES if end - start >= _LANES else _MOST_BYTES
        if size >= most or end - start == _BATCH:
            yield pieces[start:end]
            start, size = end, 0
    if start < len(pieces):
        yield pieces[start:]


def _sealed(view: memoryview, start: int, piece: Piece) -> SealedBlob:
    begin = piece.offset - start
    return view[begin : begin + piece.length], piece.blob, piece.plain_length


def write_natively(folder: int, temporary: bytes, piece: Piece, data: bytes) -> bool:
    """Write a small file in one step in C; False, with nothing written, if that is not possible."""
    if native is None or folder < 0 or piece.attributes is None or len(data) >= SMALL_SIZE:
        return False
    _, mode, uid, gid, atime, mtime, xattrs = piece.attributes
    return not xattrs and native.place(
        folder, temporary, piece.name, data, posix_permissions(mode), uid, gid, atime, mtime
    )


def write_content(fd: int, data: bytes) -> None:
    """Write a new file's content, leaving holes in a large one where it is zero."""
    if len(data) < SMALL_SIZE and (not data or os.write(fd, data) == len(data)):
        return
    os.ftruncate(fd, len(data))
    write_all(fd, data)


def describe(error: Exception) -> str:
    """Why an entry was not restored, for people; raises TargetFullError if the disk is full."""
    if isinstance(error, OSError):
        raise_if_full(error)
        if error.errno in _NOT_EMPTY:
            return "it was not restored: a folder stands there that is not empty"
    reason = getattr(error, "strerror", None) or "its description is not valid"
    return f"it was not restored: {reason.lower()}"
