"""Stores trees, in the main process alone, as soon as everything below them is known."""

import hashlib
from collections.abc import Callable

from nightsafe.archiver.tree_check import require_whole
from nightsafe.errors import DamagedError, ended
from nightsafe.file_saver.blob_set import BlobSet
from nightsafe.file_saver.worker import WorkerSetup
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.packer.index_writer import IndexWriter
from nightsafe.packer.open_packs import OpenPacks
from nightsafe.packer.pack_builder import FinishedPack, Tail
from nightsafe.packer.pack_sender import PackSender
from nightsafe.repofile.pack import BlobKind
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository


class TreeSaver:
    """Stores trees, gathers what the workers leave over, and has it all indexed."""

    def __init__(
        self, repository: Repository, setup: WorkerSetup, settle: Callable[[], None]
    ) -> None:
        by = BlobSealer(repository.new_sealer(), compresses=repository.config.compresses)
        self.added_blobs = self.added_bytes = self.stored_bytes = 0
        self._dry_run = setup.dry_run
        self._repository = repository
        self._trees = OpenPacks(BlobKind.TREE, by)
        self._tails: OpenPacks | None = None
        self._by = by
        self._stored = BlobSet()
        self._indexer = IndexWriter(repository, settle)
        self._sender = PackSender(
            setup.storage,
            repository.new_sealer(),
            threads=1,
            journal=setup.journal,
            dry_run=setup.dry_run,
        )

    def add(self, tree: bytes, *, entries: int, known: bytes = b"") -> bytes:
        """Store a tree unless it is there; `known` is the id of one that surely is.

        TreeError unless it is whole, with so many entries.
        """
        tree_id = hashlib.sha256(tree).digest()
        if tree_id == known:
            return tree_id
        require_whole(tree, entries)
        is_there = self._repository.index.has(BlobKind.TREE, tree_id)
        if not is_there and self._stored.claim(tree_id):
            self.added_blobs += 1
            self.added_bytes += len(tree)
            self._send(self._trees.add(tree_id, tree))
            self.learn([])
        return tree_id

    def load(self, tree_id: bytes) -> bytes:
        """The JSON of a stored tree; DamagedError if it cannot be had."""
        return BlobReader(self._repository).load(BlobKind.TREE, tree_id)

    def learn(self, packs: list[tuple[bytes, bytes, int]]) -> None:
        """Index packs (id, opened header, size) that workers sent, and our own."""
        for pack_id, header, size in packs:
            self._index(pack_id, header, size)
        for sent in self._sender.sent():
            self._index(*sent)

    def absorb(self, tail: Tail) -> None:
        """Take over the data blobs that a worker could not fill a pack with."""
        if not tail.blobs:
            return
        if self._tails is None:
            self._tails = OpenPacks(BlobKind.DATA, self._by)
        self._send(self._tails.absorb(tail))

    def finish(self) -> None:
        """Send what is left and wait for it; then write the index of all that is in none."""
        for packs in (self._tails, self._trees):
            if packs is not None:
                self._send(packs.merge())
                self._send(packs.finish())
        for sent in self._sender.finish():
            self._index(*sent)
        if not self._dry_run:
            self._indexer.flush()

    @property
    def index_names(self) -> list[str]:
        """The index files written so far."""
        return self._indexer.written

    def close(self) -> None:
        """Give memory back."""
        self._stored.close()

    def _send(self, pack: FinishedPack | None) -> None:
        if pack is not None:
            self._sender.send(pack)

    def _index(self, pack_id: bytes, header: bytes, size: int) -> None:
        self.stored_bytes += size
        if not self._dry_run:
            self._indexer.add(pack_id, header)


def load_former(store: TreeSaver, tree_id: bytes) -> tuple[bytes, str]:
    """A folder's former tree, or nothing and what is wrong with it."""
    if not tree_id:
        return b"", ""
    try:
        return store.load(tree_id), ""
    except DamagedError as error:
        return b"", f"{ended(error)} The files there are read anew."
