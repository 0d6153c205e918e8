"""Plans which byte ranges of which packs to read, and where their blobs go.

Pure. Blobs are grouped by pack and read in runs, so that each pack is fetched about once,
neighbours come with one request, and the storage learns little about what is restored.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from nightsafe.repository.blob_reader import WINDOW_SIZE
from nightsafe.target.folder_ref import FolderRef
from nightsafe.target.metadata import RawAttributes

_CUT_SIZE = 256 << 10
_JOB_SIZE = 16 << 20
_JOB_PIECES = 512


class Piece(NamedTuple):
    """A blob and what is made of it.

    With `attributes` it is a whole file, to be written as `name` in the folder number `ref`.
    Without them, it is written at `position` of the partial file `name` there. `file` is the number
    of a partial file.
    """

    offset: int
    length: int
    plain_length: int
    blob: bytes
    ref: int
    name: bytes
    position: int
    file: int
    attributes: RawAttributes | None


class Job(NamedTuple):
    """The bytes `start` to `end` of a pack, and the pieces in them, by offset.

    `batch` is a number for the caller.
    """

    batch: int
    pack: bytes
    start: int
    end: int
    refs: dict[int, FolderRef]
    pieces: list[Piece]

    def __reduce__(self) -> tuple[Callable[..., "Job"], tuple[object, ...]]:
        """Pickle as plain tuples, which takes a third of the time."""
        refs = {number: tuple(ref) for number, ref in self.refs.items()}
        return _rebuild, (*self[:4], refs, list(map(tuple, self.pieces)))


def _rebuild(
    batch: int,
    pack: bytes,
    start: int,
    end: int,
    refs: dict[int, tuple[Any, ...]],
    pieces: list[tuple[Any, ...]],
) -> Job:
    return Job(
        batch,
        pack,
        start,
        end,
        {number: FolderRef(*ref) for number, ref in refs.items()},
        list(map(Piece._make, pieces)),
    )


def plan_jobs(
    batch: int,
    pack: bytes,
    pieces: list[Piece],
    *,
    pack_end: int,
    refs: Callable[[int], FolderRef],
) -> Iterator[Job]:
    """Yield the jobs for the pieces of a pack; `pack_end` is where its blobs end."""
    for run, is_cut in _runs(sorted(pieces, key=_offset)):
        step = _CUT_SIZE if is_cut else WINDOW_SIZE
        end = max(piece.offset + piece.length for piece in run)
        yield Job(
            batch,
            pack,
            run[0].offset - run[0].offset % WINDOW_SIZE,
            min(-(-end // step) * step, pack_end),
            {number: refs(number) for number in {piece.ref for piece in run}},
            run,
        )


def _runs(pieces: list[Piece]) -> Iterator[tuple[list[Piece], bool]]:
    """Yield pieces to be read together, and whether the next run starts where they end."""
    run: list[Piece] = []
    start = last = 0
    for piece in pieces:
        window = piece.offset - piece.offset % WINDOW_SIZE
        if run and window > last:
            is_full = len(run) >= _JOB_PIECES or piece.offset - start >= _JOB_SIZE
            if is_full or window - last > 2 * WINDOW_SIZE:
                yield run, is_full
                run = []
        if not run:
            start = window
        last = window
        run.append(piece)
    if run:
        yield run, False


def _offset(piece: Piece) -> int:
    return piece.offset
