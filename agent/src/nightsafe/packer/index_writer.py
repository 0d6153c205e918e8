"""Writes index files while packs arrive, so that a kill costs little."""

import time
from collections.abc import Callable

from nightsafe.backend.base import ObjectKind
from nightsafe.repofile.index import encode_index_of
from nightsafe.repository.repository import Repository

INDEX_PACKS = 16
INDEX_BYTES = 800_000
"""Of opened headers: about 20,000 blobs."""
INDEX_SECONDS = 120.0


class IndexWriter:
    """Collects packs that arrived and writes an index file every few of them.

    `settle` is called before each: whoever writes one must know that the lock stands.
    """

    def __init__(self, repository: Repository, settle: Callable[[], None] = lambda: None) -> None:
        self.written: list[str] = []
        self._repository = repository
        self._settle = settle
        self._waiting: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._written_at = time.monotonic()

    def add(self, pack_id: bytes, header: bytes) -> None:
        """Note a pack that the storage has, by its opened header; write an index file if due."""
        self._waiting.append((pack_id, header))
        self._header_bytes += len(header)
        overdue = time.monotonic() - self._written_at > INDEX_SECONDS
        if len(self._waiting) >= INDEX_PACKS or self._header_bytes >= INDEX_BYTES or overdue:
            self.flush()

    def flush(self) -> None:
        """Write an index file of everything that stands in none yet."""
        if self._waiting:
            self._settle()
            text = encode_index_of(self._waiting)
            self.written.append(self._repository.save_text(ObjectKind.INDEX, text))
        self._waiting, self._header_bytes = [], 0
        self._written_at = time.monotonic()
