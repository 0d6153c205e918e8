"""Collects files to restore, hands them to the workers in batches, and finishes them.

Files come in one by one and are gathered into batches of bounded size. The jobs of a batch go
to the workers pack by pack; when all are done its large files get their names, its hard
links are made, and the folders that were left in it get their times. Meanwhile the next
batch is gathered, so neither memory nor waiting grows with the snapshot.
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from typing import Any

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.file_restorer.batch import Batch, Left, Link, Unfinished
from nightsafe.file_restorer.comparison import Compared, Comparison, Gathering
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
from nightsafe.target.metadata import described
from nightsafe.target.place import Place

FIRST_BATCH, _LARGEST_BATCH = 1000, 32_000
_BATCHES_AT_ONCE = 2
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
        self._located = repository.index.locations(BlobKind.DATA)
        self._tell = listener
        self._dispatcher = Dispatcher(
            partial(FileWriter, repository.storage, repository.master, target, clears=clears),
            repository.index,
            reader=reader,
            listener=listener,
            workers=workers,
            compared=self._settle_comparison,
        )
        self._writer, self._finisher = self._dispatcher.writer, self._dispatcher.finisher
        self._links: dict[tuple[int, int, int], Unfinished] = {}
        self._batch = Batch(0)
        self._limit = FIRST_BATCH
        self._gathering = Gathering(self._located)

    def files(self, place: Place, nodes: Iterable[Node], batch: Batch | None = None) -> list[Node]:
        """Take those files that have one name and one blob at most, as nearly all have.

        The others are returned, and those whose blob is not known or of another size than they
        are; `file` is for them.
        """
        batch, get = batch or self._batch, self._located.get
        number, packs, others = batch.number_of(place), batch.packs, []
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
            batch.pieces += 1
            batch.size += length
        return others

    def file(self, place: Place, name: bytes, node: Node, *, folder: Directory) -> None:
        """Take a file that shall be `name` in `place`, which is `folder`.

        OSError if it cannot be begun, DamagedError if one of its blobs is not known.
        """
        content = node.content or ()
        if node.links > 1:
            self._file_of_names(place, name, node, folder)
        elif len(content) > 1:
            self._begin(self._batch, place, name, node, folder)
        else:
            blob = content[0] if content else b""
            where = locate(self._located, blob) if content else _NOTHING
            self._batch.add(place, name, where, blob, attributes=described(node))

    def _file_of_names(self, place: Place, name: bytes, node: Node, folder: Directory) -> None:
        first = self._links.get(_key(node))
        if first is None:
            self._links[_key(node)] = self._begin(self._batch, place, name, node, folder)
            return
        self._batch.links.append(Link(place, name, node, first))
        self._batch.pieces += 1

    def compare(self, place: Place, nodes: Iterable[Node]) -> list[Node]:
        """Take files of which something has the name already: what is right stays, and gets its
        attributes; the others are made as if `files` had taken them.

        Those are returned that cannot be compared.
        """
        jobs, others = self._gathering.take(self._batch.number, place, nodes)
        for job in jobs:
            self._compare(job)
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
        self._batch.left.append(Left(place, node, is_new))

    def pump(self) -> None:
        """Go on with what was taken; to be called often."""
        if self._batch.pieces + len(self._batch.left) >= self._limit:
            self._launch()
            self._limit = min(2 * self._limit, _LARGEST_BATCH)
            self._dispatcher.wait(_BATCHES_AT_ONCE)
        else:
            self._dispatcher.poll()

    def finish(self) -> None:
        """Complete everything that was taken."""
        self._launch()
        self._dispatcher.wait(0)
        self._dispatcher.end()

    def abort(self) -> None:
        """Stop at once; what is not complete is removed."""
        self._dispatcher.end()
        for batch in (*self._dispatcher.batches, self._batch):
            for unfinished in batch.unfinished:
                if not unfinished.is_done:
                    self._finisher.drop(unfinished)
        self._writer.close()

    def close(self) -> None:
        """Let go of the folders, after `finish`."""
        self._writer.close()

    def _begin(
        self, batch: Batch, place: Place, name: bytes, node: Node, folder: Directory
    ) -> Unfinished:
        found = [locate(self._located, blob) for blob in node.content or ()]
        with self._finisher.begin(place, name, node, found, folder) as unfinished:
            number = len(batch.unfinished)
            batch.unfinished.append(unfinished)
        position = 0
        for blob, where in zip(node.content or (), found, strict=True):
            batch.add(place, unfinished.temporary, where, blob, position=position, file=number)
            position += plain_length(where)
        return unfinished

    def _launch(self) -> None:
        for job in self._gathering.rest(self._batch.number):
            self._compare(job)
        self._dispatcher.compare_held()
        batch, self._batch = self._batch, Batch(self._batch.number + 1)
        self._dispatcher.batches.append(batch)
        if not batch.open_comparisons:
            self._dispatcher.send(batch)

    def _compare(self, job: Comparison) -> None:
        self._batch.open_comparisons += 1
        self._batch.pieces += job.checks
        self._dispatcher.compare(job)

    def _batch_of(self, number: int) -> Batch:
        if number == self._batch.number:
            return self._batch
        launched = self._dispatcher.batches
        return launched[number - launched[0].number]

    def _settle_comparison(self, job: Comparison, outcome: Compared) -> None:
        batch = self._batch_of(job.batch)
        batch.open_comparisons -= 1
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
                    self._make_other(batch, place, node)
        if right:
            self._tell.kept(right)
        if not batch.open_comparisons and batch is not self._batch:
            self._dispatcher.send(batch)

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

    def _make_other(self, batch: Batch, place: Place, node: Node) -> None:
        """Take a file that is not what it should be."""
        try:
            if self.files(place, [node], batch):
                self._begin(batch, place, node.name, node, self._writer.folders.open(place))
        except (OSError, OverflowError, ValueError) as error:
            self._tell.failed(path_of(place, node.name), describe(error))


def _key(node: Node) -> tuple[int, int, int]:
    """What the names of one file have in common."""
    return node.device_id, node.inode, hash(node.content)
