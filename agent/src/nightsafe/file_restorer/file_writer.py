"""Writes verified blobs to files, in worker processes.

A file is written under a temporary name, gets its attributes, and is then renamed.
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
from nightsafe.file_restorer.comparison import CompareJob, CompareResult
from nightsafe.file_restorer.read_plan import Job, Piece
from nightsafe.fs.files import TO_WRITE
from nightsafe.repofile.tree import posix_permissions
from nightsafe.repository.blob_reader import BlobOpener, SealedBlob
from nightsafe.target.directory import Directory, discard
from nightsafe.target.folder_ref import FolderRef
from nightsafe.target.metadata import Attributes, RawAttributes
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
"""Smaller files are written in one step, without looking for holes."""


class Outcome(NamedTuple):
    """The result of a job, by the numbers of its pieces.

    `lost`: the blob could not be read here. `failed`: it could not be written, and why. `notes`:
    attributes that could not be set.
    """

    bytes: int
    lost: list[int]
    failed: list[tuple[int, str]]
    notes: list[tuple[int, str]]


class FileWriter:
    """Performs a restore's jobs below the target; see `Folders` for `clears`."""

    def __init__(
        self, storage: Backend, master: SealKey, target: bytes, *, clears: bool = False
    ) -> None:
        self._storage = storage.fresh()
        self._opener = BlobOpener(Sealer(master))
        self.folders = Folders(target, clears=clears)
        self._files: OrderedDict[tuple[bytes, bytes], int] = OrderedDict()
        self._stem = secrets.token_hex(8).encode()
        self._count = 0
        self._in_progress: tuple[Directory, bytes] | None = None

    def close(self) -> None:
        """Close files, folders and connections; removes a partial file."""
        if self._in_progress is not None:
            folder, temporary = self._in_progress
            discard(temporary, folder)
        while self._files:
            os.close(self._files.popitem()[1])
        self.folders.close()
        self._storage.close()

    def orphaned(self) -> None:
        """Continue with the current job; `close` removes its partial file afterwards."""

    def fetch(self, job: Job | CompareJob) -> bytes:
        """Download the range of the pack that a job needs; empty if that fails."""
        if isinstance(job, CompareJob) or job.end <= job.start:
            return b""
        try:
            return self._storage.load(
                ObjectKind.DATA, job.pack.hex(), offset=job.start, length=job.end - job.start
            )
        except (NoCopyError, ObjectNotFoundError):
            return b""

    def run(self, job: Job | CompareJob, fetched: bytes) -> Outcome | CompareResult:
        """Perform a job, by `compare` or `write`."""
        return self.compare(job) if isinstance(job, CompareJob) else self.write(job, fetched)

    def compare(self, job: CompareJob) -> CompareResult:
        """Compare files with the snapshot, and set the attributes of correct ones."""
        return comparison.run(job, self.folders.open)

    def write(self, job: Job, fetched: bytes) -> Outcome:
        """Write all pieces. TargetFullError, or RestoreError if a folder was moved."""
        outcome, size = Outcome(0, [], [], []), 0
        for number, (piece, data) in enumerate(self._opened(memoryview(fetched), job)):
            if data is None:
                outcome.lost.append(number)
                continue
            size += len(data)
            problem, lost = self.write_piece(job.refs[piece.ref], piece, data)
            if problem:
                outcome.failed.append((number, problem))
            elif lost:
                outcome.notes.append((number, lost))
        return outcome._replace(bytes=size)

    def _opened(self, view: memoryview, job: Job) -> Iterator[tuple[Piece, bytes | None]]:
        """Yield each piece with its content, or None if that is lost.

        A blob shared by consecutive pieces is decrypted once.
        """
        opened: dict[int, bytes | None] = {}
        for batch in _batches(job.pieces):
            fresh = {p.offset: p for p in batch if p.length and p.offset not in opened}
            blobs = [_sealed(view, job.start, piece) for piece in fresh.values()]
            opened |= zip(fresh, self._opener.open_all(blobs), strict=True)
            for piece in batch:
                yield piece, opened[piece.offset] if piece.length else b""
            last = batch[-1].offset
            opened = {last: opened[last]} if last in opened else {}

    def write_piece(self, ref: FolderRef, piece: Piece, data: bytes) -> tuple[str, str]:
        """Write a piece; returns why it failed, and which attributes could not be set."""
        try:
            if piece.attributes is None:
                self._write_part(ref, piece, data)
                return "", ""
            return "", ", ".join(self._write_file(ref, piece, data, piece.attributes))
        except (OSError, OverflowError, ValueError) as error:
            return describe(error), ""

    def _write_part(self, ref: FolderRef, piece: Piece, data: bytes) -> None:
        key = ref.path, piece.name
        fd = self._files.get(key)
        if fd is None:
            folder = self.folders.open(ref)
            fd = folder.open_file(piece.name, TO_WRITE)
            if not folder.keeps_files_open:
                with open(fd, "wb", buffering=0):
                    write_all(fd, data, piece.position)
                return
            self._files[key] = fd
            if len(self._files) > _FILES_OPEN:
                os.close(self._files.popitem(last=False)[1])
        write_all(fd, data, piece.position)

    def _write_file(
        self, ref: FolderRef, piece: Piece, data: bytes, attributes: RawAttributes
    ) -> list[str]:
        folder = self.folders.open(ref)
        self._count += 1
        temporary = b".nightsafe-%s-%d.part" % (self._stem, self._count)
        if not folder.has_default_acl() and write_natively(folder.handle, temporary, piece, data):
            return []
        self._in_progress = folder, temporary  # until it is renamed: this process may be stopped
        fd = folder.new_file(temporary)
        try:
            try:
                write_content(fd, data)
            except BaseException:
                os.close(fd)
                raise
            lost = folder.complete(fd, temporary, Attributes(*attributes))
            folder.rename(temporary, piece.name, clears=self.folders.clears)
        except BaseException:
            discard(temporary, folder)
            self._in_progress = None
            raise
        self._in_progress = None
        return lost


def _batches(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Group pieces whose blobs are decrypted and hashed together.

    At least three, since that is faster, but few enough for the CPU's caches.
    """
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
    """Explain why an entry was not restored; raises TargetFullError if the disk is full."""
    reason = None
    if isinstance(error, OSError):
        raise_if_full(error)
        if error.errno in _NOT_EMPTY:
            return "it was not restored: a folder stands there that is not empty"
        reason = error.strerror
    return f"it was not restored: {(reason or 'its description is not valid').lower()}"
