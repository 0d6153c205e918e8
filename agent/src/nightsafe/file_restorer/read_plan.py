"""Plans which byte ranges of which packs to read, and where their blobs belong.

Pure. Wanted blobs are grouped by pack and read in runs, so that each pack is fetched about
once, neighbours come along in one request, and the storage learns little of what is wanted.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from nightsafe.repository.blob_reader import WINDOW_SIZE
from nightsafe.target.metadata import Described
from nightsafe.target.place import Place

_CUT_SIZE = 256 << 10
_JOB_SIZE = 16 << 20
_JOB_PIECES = 512


class Piece(NamedTuple):
    """One blob and what it becomes.

    With `attributes` it is a whole file, to be made as `name` in the folder of number `place`.
    Without, it is written at `position` of the unfinished file `name` there. `file` is the
    number of an unfinished file.
    """

    offset: int
    length: int
    plain_length: int
    blob: bytes
    place: int
    name: bytes
    position: int
    file: int
    attributes: Described | None


class Job(NamedTuple):
    """The bytes `start` to `end` of a pack, and the pieces that lie in them, by offset.

    `batch` is a number for whoever made the job.
    """

    batch: int
    pack: bytes
    start: int
    end: int
    places: dict[int, Place]
    pieces: list[Piece]

    def __reduce__(self) -> tuple[Callable[..., "Job"], tuple[object, ...]]:
        """For the way to another process: as plain tuples, which take a third of the time."""
        places = {number: tuple(place) for number, place in self.places.items()}
        return _rebuilt, (*self[:4], places, list(map(tuple, self.pieces)))


def _rebuilt(
    batch: int,
    pack: bytes,
    start: int,
    end: int,
    places: dict[int, tuple[Any, ...]],
    pieces: list[tuple[Any, ...]],
) -> Job:
    return Job(
        batch,
        pack,
        start,
        end,
        {number: Place(*place) for number, place in places.items()},
        list(map(Piece._make, pieces)),
    )


def arrange(
    batch: int,
    pack: bytes,
    pieces: list[Piece],
    *,
    pack_end: int,
    places: Callable[[int], Place],
) -> Iterator[Job]:
    """The jobs for the pieces of one pack; `pack_end` is where its blobs end."""
    for run, is_cut in _runs(sorted(pieces, key=_offset)):
        step = _CUT_SIZE if is_cut else WINDOW_SIZE
        end = max(piece.offset + piece.length for piece in run)
        yield Job(
            batch,
            pack,
            run[0].offset - run[0].offset % WINDOW_SIZE,
            min(-(-end // step) * step, pack_end),
            {number: places(number) for number in {piece.place for piece in run}},
            run,
        )


def _runs(pieces: list[Piece]) -> Iterator[tuple[list[Piece], bool]]:
    """Pieces that are read together, and whether the next run begins where they end."""
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
