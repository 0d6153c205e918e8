"""Saves a folder's small new files, many in one call.

`native` does it in C where it could be built. It stops before whatever is not for it (another
kind of entry, a large file, one that changes or has extended attributes, a name that JSON
escapes), and the worker deals with that one in Python; without it, with all. What comes out is the
same.
"""

from typing import NoReturn, Protocol

import zstandard

from nightsafe.chunker.chunker import MIN_SIZE
from nightsafe.crypto import sha256
from nightsafe.errors import DamagedError
from nightsafe.file_saver.blob_set import BlobSet
from nightsafe.file_saver.node_json import owner_texts
from nightsafe.fs.status import StatEntry
from nightsafe.packer.blob_sealer import UNPROVEN, BlobSealer
from nightsafe.packer.open_packs import OpenPacks
from nightsafe.packer.pack_builder import FinishedPack
from nightsafe.repofile.go_json import format_second
from nightsafe.workers.buffers import new_memory

try:
    from nightsafe._native import small_files as native
except ImportError:  # not built here
    native = None  # type: ignore[assignment]

Done = tuple[bytes, str, int]
"""A file that was dealt with: its name, its state and its size."""


class Gathered(Protocol):
    """Where the work of the call ends up."""

    parts: list[bytes]
    done: list[Done]

    def count_added(self, blobs: int, size: int) -> None:
        """Count blobs that were new, and their bytes."""


class SmallFiles:
    """Stores small new files for one worker."""

    def __init__(self, known: BlobSet, by: BlobSealer) -> None:
        self._gather = None
        if native is None:
            return
        # A file of this size is one blob, however files are cut.
        room = memoryview(new_memory(MIN_SIZE + 1))[: MIN_SIZE + 1]
        self._gather = native.Gatherer(
            room,
            known.table.claim,
            by.sealer.put,
            by.compress_small if by.compresses else None,
            by.decompress,
            _refuse,
            format_second,
            owner_texts,
            sha256.digests is not sha256.portable_digests,
        ).gather

    def gather(
        self, seen: list[StatEntry], start: int, packs: OpenPacks, found: Gathered
    ) -> tuple[int, FinishedPack | None]:
        """Store files of one folder from `start` on, as far as this can.

        Returns where it stopped, and a pack that is full by this.
        """
        if self._gather is None:
            return start, None
        try:
            (stopped, nodes, blobs, size), pack = packs.gather(
                self._gather, seen, start, found.done
            )
        except zstandard.ZstdError:
            _refuse()
        if nodes:
            found.parts.append(nodes)
        found.count_added(blobs, size)
        return stopped, pack


def _refuse() -> NoReturn:
    raise DamagedError(UNPROVEN)
