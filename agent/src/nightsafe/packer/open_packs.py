"""The packs that one worker fills side by side."""

import secrets
from collections.abc import Callable, Iterator

from nightsafe.fs.status import StatEntry
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.packer.pack_builder import FinishedPack, PackBuilder, PackMemory, Tail, size_of
from nightsafe.repofile import pack
from nightsafe.repofile.pack import BlobKind

OPEN_DATA_PACKS = 2
_DRAWS = 1024
Gather = Callable[..., tuple[int, bytes, int, int]]
"""What `small_files.Gatherer.gather` of the extension is."""


def draws(count: int) -> Iterator[int]:
    """Random numbers below `count`, which divides 256, without end.

    Many are asked of the system at once: one question costs more than all else about a choice.
    """
    while True:
        yield from [byte % count for byte in secrets.token_bytes(_DRAWS)]


class OpenPacks:
    """The packs of one kind that one worker fills.

    Data blobs go at random into one of two, so that the order and lengths of what the
    storage sees do not give a known file away.
    """

    def __init__(self, kind: BlobKind, by: BlobSealer) -> None:
        count = OPEN_DATA_PACKS if kind is BlobKind.DATA else 1
        memory = PackMemory()
        self._by = by
        self.kind = kind
        self._packs = [PackBuilder(kind, by.sealer, memory) for _ in range(count)]
        self._draws = draws(count)

    def add(self, blob_id: bytes, plain: bytes | memoryview) -> FinishedPack | None:
        """Store a blob; returns a pack that is full by this."""
        chosen = self._packs[next(self._draws)]
        chosen.add(blob_id, plain, self._by)
        return chosen.finish() if chosen.is_full else None

    def append(
        self, blob_id: bytes, sealed: bytes | memoryview, *, plain_length: int
    ) -> FinishedPack | None:
        """As `add`, for a blob that is sealed already; `plain_length` 0 if not compressed."""
        chosen = self._packs[next(self._draws)]
        chosen.append(blob_id, sealed, plain_length=plain_length)
        return chosen.finish() if chosen.is_full else None

    def gather(
        self, gather: Gather, seen: list[StatEntry], start: int, done: list[tuple[bytes, str, int]]
    ) -> tuple[tuple[int, bytes, int, int], FinishedPack | None]:
        """Have small files stored; returns what `gather` does and a pack that is full by this."""
        for open_pack in self._packs:
            open_pack.prepare()
        gathered = gather(seen, start, self._packs, size_of(self.kind), pack.MAX_BLOBS, done)
        full = next((one for one in self._packs if one.is_full), None)
        return gathered, full.finish() if full else None

    def absorb(self, tail: Tail) -> FinishedPack | None:
        """Take over another worker's tail; returns a pack that is full by this."""
        chosen = min(self._packs, key=lambda pack: pack.size)
        chosen.absorb(tail)
        return chosen.finish() if chosen.is_full else None

    def merge(self) -> FinishedPack | None:
        """Bring all that is open together; returns what is too much for one pack."""
        first, *others = self._packs
        for other in others:
            if not other.count:
                continue
            if first.size + other.size > size_of(first.kind):
                small, large = sorted((first, other), key=lambda p: p.size)
                self._packs = [small, large]
                return large.finish()
            first.absorb(other.take())
        return first.finish() if first.is_full else None

    def take(self) -> Tail:
        """What is left after `merge`."""
        return self._packs[0].take()

    def finish(self) -> FinishedPack | None:
        """What is left after `merge`, as a pack of its own; None if there is nothing."""
        return self._packs[0].finish() if self._packs[0].count else None
