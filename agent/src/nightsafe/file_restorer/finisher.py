"""Finishes a batch: renames large files, makes links, sets folders' metadata."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.errors import DamagedError, RestoreError
from nightsafe.file_restorer.batch import Batch, FinishedFolder, Link, PartialFile
from nightsafe.file_restorer.file_writer import describe
from nightsafe.fs.files import TO_WRITE
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.target.directory import Directory, discard, temporary_name
from nightsafe.target.folder_ref import FolderRef
from nightsafe.target.target import Folders, write_all


class Listener:
    """Is notified of what happens to entries; paths are relative to the target."""

    def restored(self, files: list[tuple[bytes, str, int]]) -> None:
        """Files are complete: path, "restored", bytes."""

    def kept(self, files: list[tuple[bytes, str, int]]) -> None:
        """Files were correct and are kept: path, "unchanged", bytes."""

    def advanced(self, size: int) -> None:
        """This many bytes were written."""

    def noted(self, path: bytes, text: str) -> None:
        """An attribute of an entry could not be set."""

    def failed(self, path: bytes, text: str) -> None:
        """An entry was not restored."""


class FileFinisher:
    """Creates files that are written in several steps, and finishes them.

    Notifies a listener of each result.
    """

    def __init__(
        self,
        folders: Folders,
        reader: BlobReader,
        located: Mapping[bytes, BlobLocation],
        listener: Listener,
    ) -> None:
        self._folders = folders
        self._reader = reader
        self._located = located
        self._listener = listener

    @contextlib.contextmanager
    def begin(
        self,
        ref: FolderRef,
        name: bytes,
        node: Node,
        found: list[BlobLocation],
        folder: Directory,
    ) -> Iterator[PartialFile]:
        """Create a file of the final length under a temporary name; removed on failure."""
        temporary = temporary_name()
        fd = folder.new_file(temporary)
        try:
            with open(fd, "wb", buffering=0):
                os.ftruncate(fd, sum(map(plain_length, found)))
                status = os.fstat(fd)
            yield PartialFile(ref, name, temporary, node, (status.st_dev, status.st_ino))
        except BaseException:
            discard(temporary, folder)
            raise

    def finish(self, batch: Batch) -> None:
        """Rename large files, make links, and set the attributes of folders."""
        for partial_file in batch.partial_files:
            self._finish_file(partial_file)
        for link in batch.links:
            self._finish_link(link)
        for folder in batch.finished_folders:
            self._finish_folder(folder)

    def _finish_file(self, partial_file: PartialFile) -> None:
        note = ""
        if not partial_file.problem:
            try:
                note = self._publish(partial_file)
                partial_file.is_done = True
            except (OSError, OverflowError, ValueError) as error:
                partial_file.problem = describe(error)
        if partial_file.problem:
            self.drop(partial_file)
        path = path_of(partial_file.ref, partial_file.name)
        self._report(path, partial_file.node, partial_file.problem, note)

    def _publish(self, partial_file: PartialFile) -> str:
        folder = self._folders.open(partial_file.ref)
        lost = folder.set_attributes(partial_file.temporary, partial_file.node)
        folder.rename(partial_file.temporary, partial_file.name, clears=self._folders.clears)
        return ", ".join(lost)

    def drop(self, partial_file: PartialFile) -> None:
        """Remove a partial file."""
        with contextlib.suppress(OSError, RestoreError):  # the folder may be gone
            discard(partial_file.temporary, self._folders.open(partial_file.ref))

    def _finish_link(self, link: Link) -> None:
        first = link.first
        path = path_of(link.ref, link.name)
        try:
            self._folders.link(
                first.ref,
                first.name,
                to=link.ref,
                as_name=link.name,
                identity=first.identity,
            )
        except OSError as error:
            self._report(path, link.node, self._copy_instead(link, error))
        else:
            self._report(path, link.node, "")

    def _copy_instead(self, link: Link, cause: OSError) -> str:
        """Write a copy where a link cannot be made; returns why that failed, if it did."""
        try:
            describe(cause)  # a full disk ends the restore
            folder = self._folders.open(link.ref)
            found = [locate(self._located, blob) for blob in link.node.content or ()]
            with self.begin(link.ref, link.name, link.node, found, folder) as copy:
                self._fill(copy)
                self._publish(copy)
        except DamagedError as error:
            return f"it was not restored. {error}"
        except OSError as error:
            return describe(error)
        return ""

    def _fill(self, copy: PartialFile) -> None:
        folder = self._folders.open(copy.ref)
        fd = folder.open_file(copy.temporary, TO_WRITE)
        try:
            position = 0
            for blob in copy.node.content or ():
                data = self._reader.load(BlobKind.DATA, blob)
                write_all(fd, data, position)
                position += len(data)
                self._listener.advanced(len(data))
        finally:
            os.close(fd)

    def _finish_folder(self, folder: FinishedFolder) -> None:
        lost = self._folders.open(folder.ref).set_own_attributes(folder.node, is_new=folder.is_new)
        if lost:
            self._listener.noted(b"/" + folder.ref.path, ", ".join(lost))

    def _report(self, path: bytes, node: Node, problem: str, note: str = "") -> None:
        if problem:
            self._listener.failed(path, problem)
            return
        if note:
            self._listener.noted(path, note)
        self._listener.restored([(path, "restored", node.size)])


def locate(located: Mapping[bytes, BlobLocation], blob: bytes) -> BlobLocation:
    """Return the location of a data blob; DamagedError if it is unknown."""
    where = located.get(blob)
    if where is None:
        raise DamagedError(f"The data blob {blob.hex()[:8]} is in no index.")
    return where


def plain_length(where: BlobLocation) -> int:
    """Return the size of a blob's plain bytes."""
    return where.plain_length or where.length - OVERHEAD


def path_of(ref: FolderRef, name: bytes) -> bytes:
    """Return an entry's path from the target, with a leading slash."""
    return b"/" + ref.path + b"/" + name if ref.path else b"/" + name
