"""Restores files: collects them into batches, has workers write these, and finishes them.

Files arrive one by one and are collected into batches of bounded size. A batch's jobs go to the
workers pack by pack; when all are done, its large files are renamed, its hard links made, and the
folders that were left get their times. Meanwhile the next batch is collected, so neither memory nor
waiting grows with the snapshot.
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from typing import Any

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.file_restorer.batch import Batch, FinishedFolder, Link, PartialFile
from nightsafe.file_restorer.comparison import CheckCollector, CompareJob, CompareResult
from nightsafe.file_restorer.dispatcher import Dispatcher
from nightsafe.file_restorer.file_writer import FileWriter, describe
from nightsafe.file_restorer.finisher import Listener, locate, path_of, plain_length
from nightsafe.file_restorer.read_plan import Piece
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.target.directory import Directory
from nightsafe.target.folder_ref import FolderRef
from nightsafe.target.metadata import raw_attributes

FIRST_BATCH, _LARGEST_BATCH = 1000, 32_000
_BATCHES_AT_ONCE = 2
_NOTHING = BlobLocation(b"", 0, 0, 0)
_new_piece: Callable[[Iterable[Any]], Piece] = partial(tuple.__new__, Piece)
_summary_of: Callable[[Node], tuple[bytes, int, int, tuple[bytes, ...] | None]]
_summary_of = itemgetter(*map(Node._fields.index, ("name", "size", "links", "content")))


class FileRestorer:
    """Restores files below the target. `abort` or `finish` must be called.

    If it `clears`, folders in the way of files are removed with everything below them.
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
        self._located = repository.index.locations(BlobKind.DATA)
        self._listener = listener
        self._dispatcher = Dispatcher(
            partial(FileWriter, repository.storage, repository.master, target, clears=clears),
            repository.index,
            reader=reader,
            listener=listener,
            workers=workers,
            compared=self._settle_comparison,
        )
        self._writer, self._finisher = self._dispatcher.writer, self._dispatcher.finisher
        self._links: dict[tuple[int, int, int], PartialFile] = {}
        self._batch = Batch(0)
        self._limit = FIRST_BATCH
        self._collector = CheckCollector(self._located)

    def add_files(
        self, ref: FolderRef, nodes: Iterable[Node], batch: Batch | None = None
    ) -> list[Node]:
        """Add files that have one link and at most one blob, as nearly all do.

        Returns the others, and those whose blob is unknown or has another size; use `add_file`.
        """
        batch, get = batch or self._batch, self._located.get
        number, packs, others = batch.number_of(ref), batch.packs, []
        for node in nodes:
            name, size, links, content = _summary_of(node)
            if content is None or len(content) > 1 or links > 1:
                others.append(node)
                continue
            blob = content[0] if content else b""
            pack, offset, length, plain_length = get(blob, _NOTHING)
            if size != (plain_length or max(0, length - OVERHEAD)) or (content and not length):
                others.append(node)
                continue
            piece = (offset, length, plain_length, blob, number, name, 0, 0, raw_attributes(node))
            packs[pack].append(_new_piece(piece))
            batch.pieces += 1
            batch.size += length
        return others

    def add_file(self, ref: FolderRef, name: bytes, node: Node, *, folder: Directory) -> None:
        """Add a file to be restored as `name` in `ref`, which is `folder`.

        OSError if it cannot be created, DamagedError if one of its blobs is unknown.
        """
        content = node.content or ()
        if node.links > 1:
            self._add_linked_file(ref, name, node, folder)
        elif len(content) > 1:
            self._begin(self._batch, ref, name, node, folder)
        else:
            blob = content[0] if content else b""
            where = locate(self._located, blob) if content else _NOTHING
            self._batch.add(ref, name, where, blob, attributes=raw_attributes(node))

    def _add_linked_file(self, ref: FolderRef, name: bytes, node: Node, folder: Directory) -> None:
        first = self._links.get(_key(node))
        if first is None:
            self._links[_key(node)] = self._begin(self._batch, ref, name, node, folder)
            return
        self._batch.links.append(Link(ref, name, node, first))
        self._batch.pieces += 1

    def compare(self, ref: FolderRef, nodes: Iterable[Node]) -> list[Node]:
        """Add files whose names exist already; correct ones only get their attributes.

        Others are restored as by `add_files`. Returns those that cannot be compared.
        """
        jobs, others = self._collector.add(self._batch.number, ref, nodes)
        for job in jobs:
            self._compare(job)
        return others

    def keep(
        self, ref: FolderRef, node: Node, status: os.stat_result, *, folder: Directory
    ) -> bool:
        """Keep a file in `folder` that has the node's content, and set its attributes.

        False if it cannot be kept: it has more links than the node, or is not the file that another
        link of the node refers to, or cannot be opened.
        """
        identity = status.st_dev, status.st_ino
        first = self._links.get(_key(node)) if node.links > 1 else None
        if status.st_nlink > max(node.links, 1) or (first and first.identity != identity):
            return False
        try:
            lost = folder.update_attributes(node.name, node)
        except OSError:
            return False
        if lost:
            self._listener.noted(path_of(ref, node.name), ", ".join(lost))
        if node.links > 1 and first is None:
            kept = PartialFile(ref, node.name, b"", node, identity, is_done=True)
            self._links[_key(node)] = kept
        return True

    def finish_folder(self, ref: FolderRef, node: Node, *, is_new: bool) -> None:
        """Add a folder whose entries were all added; children before parents."""
        self._batch.finished_folders.append(FinishedFolder(ref, node, is_new))

    def pump(self) -> None:
        """Make progress with what was added; to be called often."""
        if self._batch.pieces + len(self._batch.finished_folders) >= self._limit:
            self._launch()
            self._limit = min(2 * self._limit, _LARGEST_BATCH)
            self._dispatcher.wait(_BATCHES_AT_ONCE)
        else:
            self._dispatcher.poll()

    def finish(self) -> None:
        """Complete everything that was added."""
        self._launch()
        self._dispatcher.wait(0)
        self._dispatcher.end()

    def abort(self) -> None:
        """Stop at once and remove partial files."""
        self._dispatcher.end()
        for batch in (*self._dispatcher.batches, self._batch):
            for partial_file in batch.partial_files:
                if not partial_file.is_done:
                    self._finisher.drop(partial_file)
        self._writer.close()

    def close(self) -> None:
        """Close the folders, after `finish`."""
        self._writer.close()

    def _begin(
        self, batch: Batch, ref: FolderRef, name: bytes, node: Node, folder: Directory
    ) -> PartialFile:
        found = [locate(self._located, blob) for blob in node.content or ()]
        with self._finisher.begin(ref, name, node, found, folder) as partial_file:
            number = len(batch.partial_files)
            batch.partial_files.append(partial_file)
        position = 0
        for blob, where in zip(node.content or (), found, strict=True):
            batch.add(ref, partial_file.temporary, where, blob, position=position, file=number)
            position += plain_length(where)
        return partial_file

    def _launch(self) -> None:
        for job in self._collector.rest(self._batch.number):
            self._compare(job)
        self._dispatcher.compare_deferred()
        batch, self._batch = self._batch, Batch(self._batch.number + 1)
        self._dispatcher.batches.append(batch)
        if not batch.open_comparisons:
            self._dispatcher.send(batch)

    def _compare(self, job: CompareJob) -> None:
        self._batch.open_comparisons += 1
        self._batch.pieces += job.checks
        self._dispatcher.compare(job)

    def _batch_of(self, number: int) -> Batch:
        if number == self._batch.number:
            return self._batch
        launched = self._dispatcher.batches
        return launched[number - launched[0].number]

    def _settle_comparison(self, job: CompareJob, outcome: CompareResult) -> None:
        batch = self._batch_of(job.batch)
        batch.open_comparisons -= 1
        others, notes = set(outcome.others), dict(outcome.notes)
        right: list[tuple[bytes, str, int]] = []
        number = -1
        for ref, _, nodes in job.groups:
            for node in nodes:
                number += 1
                if note := notes.get(number, ""):
                    self._listener.noted(path_of(ref, node.name), note)
                is_right: bool | None = number not in others
                if self._collector.parts:
                    is_right = self._merge_parts(ref, node, is_right=number not in others)
                if is_right:
                    right.append((path_of(ref, node.name), "unchanged", node.size))
                elif is_right is not None:
                    self._rewrite(batch, ref, node)
        if right:
            self._listener.kept(right)
        if not batch.open_comparisons and batch is not self._batch:
            self._dispatcher.send(batch)

    def _merge_parts(self, ref: FolderRef, node: Node, *, is_right: bool) -> bool | None:
        """Whether a file is correct, given one part; None while other parts are open."""
        parts = self._collector.parts.get((ref.path, node.name))
        if parts is None:
            return is_right
        parts.open -= 1
        parts.is_right = parts.is_right and is_right
        if parts.open:
            return None
        del self._collector.parts[ref.path, node.name]
        return parts.is_right and self._set_kept(ref, node)

    def _set_kept(self, ref: FolderRef, node: Node) -> bool:
        """Set the attributes of a file that was found correct in parts."""
        try:
            lost = self._writer.folders.open(ref).update_attributes(node.name, node)
        except OSError:
            return False
        if lost:
            self._listener.noted(path_of(ref, node.name), ", ".join(lost))
        return True

    def _rewrite(self, batch: Batch, ref: FolderRef, node: Node) -> None:
        """Add a file that differs from the snapshot."""
        try:
            if self.add_files(ref, [node], batch):
                self._begin(batch, ref, node.name, node, self._writer.folders.open(ref))
        except (OSError, OverflowError, ValueError) as error:
            self._listener.failed(path_of(ref, node.name), describe(error))


def _key(node: Node) -> tuple[int, int, int]:
    """Return what all links to a file have in common."""
    return node.device_id, node.inode, hash(node.content)
