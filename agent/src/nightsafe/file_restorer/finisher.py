"""Finishes a batch: publishes large files, makes links, sets folders' metadata."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.errors import DamagedError, RestoreError
from nightsafe.file_restorer.batch import Batch, Left, Link, Unfinished
from nightsafe.file_restorer.file_writer import describe
from nightsafe.fs.files import TO_WRITE
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.target.directory import Directory, discard, temporary_name
from nightsafe.target.place import Place
from nightsafe.target.target import Folders, write_all


class Listener:
    """Who hears what became of the entries; the paths begin at the target."""

    def restored(self, files: list[tuple[bytes, str, int]]) -> None:
        """Files are complete under their names: path, "restored", bytes."""

    def kept(self, files: list[tuple[bytes, str, int]]) -> None:
        """Files were found right and stay: path, "unchanged", bytes."""

    def advanced(self, size: int) -> None:
        """So many bytes were written."""

    def noted(self, path: bytes, text: str) -> None:
        """Something about an entry could not be set."""

    def failed(self, path: bytes, text: str) -> None:
        """An entry was not restored."""


class FileFinisher:
    """Begins files that are made in several steps, and finishes them. What becomes of each is
    told to a listener."""

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
        self._tell = listener

    @contextlib.contextmanager
    def begin(
        self, place: Place, name: bytes, node: Node, found: list[BlobLocation], folder: Directory
    ) -> Iterator[Unfinished]:
        """A file of the right length under a temporary name; removed if the block fails."""
        temporary = temporary_name()
        fd = folder.new_file(temporary)
        try:
            with open(fd, "wb", buffering=0):
                os.ftruncate(fd, sum(map(plain_length, found)))
                status = os.fstat(fd)
            yield Unfinished(place, name, temporary, node, (status.st_dev, status.st_ino))
        except BaseException:
            discard(temporary, folder)
            raise

    def finish(self, batch: Batch) -> None:
        """Give large files their names, make links, and set the attributes of folders."""
        for unfinished in batch.unfinished:
            self._finish_file(unfinished)
        for link in batch.links:
            self._finish_link(link)
        for left in batch.left:
            self._finish_folder(left)

    def _finish_file(self, unfinished: Unfinished) -> None:
        note = ""
        if not unfinished.problem:
            try:
                note = self._publish(unfinished)
                unfinished.is_done = True
            except (OSError, OverflowError, ValueError) as error:
                unfinished.problem = describe(error)
        if unfinished.problem:
            self.drop(unfinished)
        path = path_of(unfinished.place, unfinished.name)
        self._told(path, unfinished.node, unfinished.problem, note)

    def _publish(self, unfinished: Unfinished) -> str:
        folder = self._folders.open(unfinished.place)
        lost = folder.set_of_file(unfinished.temporary, unfinished.node)
        folder.rename(unfinished.temporary, unfinished.name, clears=self._folders.clears)
        return ", ".join(lost)

    def drop(self, unfinished: Unfinished) -> None:
        """Remove what is not complete."""
        with contextlib.suppress(OSError, RestoreError):  # the folder may be gone
            discard(unfinished.temporary, self._folders.open(unfinished.place))

    def _finish_link(self, link: Link) -> None:
        first = link.first
        path = path_of(link.place, link.name)
        try:
            self._folders.link(
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
            folder = self._folders.open(link.place)
            found = [locate(self._located, blob) for blob in link.node.content or ()]
            with self.begin(link.place, link.name, link.node, found, folder) as copy:
                self._fill(copy)
                self._publish(copy)
        except DamagedError as error:
            return f"it was not restored. {error}"
        except OSError as error:
            return describe(error)
        return ""

    def _fill(self, copy: Unfinished) -> None:
        folder = self._folders.open(copy.place)
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

    def _finish_folder(self, left: Left) -> None:
        lost = self._folders.open(left.place).set_own(left.node, is_new=left.is_new)
        if lost:
            self._tell.noted(b"/" + left.place.path, ", ".join(lost))

    def _told(self, path: bytes, node: Node, problem: str, note: str = "") -> None:
        if problem:
            self._tell.failed(path, problem)
            return
        if note:
            self._tell.noted(path, note)
        self._tell.restored([(path, "restored", node.size)])


def locate(located: Mapping[bytes, BlobLocation], blob: bytes) -> BlobLocation:
    """Where a data blob is; DamagedError if that is not known."""
    where = located.get(blob)
    if where is None:
        raise DamagedError(f"The data blob {blob.hex()[:8]} is in no index.")
    return where


def plain_length(where: BlobLocation) -> int:
    """The bytes of a blob when it is opened."""
    return where.plain_length or where.length - OVERHEAD


def path_of(place: Place, name: bytes) -> bytes:
    """An entry's path from the target on, with a slash in front."""
    return b"/" + place.path + b"/" + name if place.path else b"/" + name
