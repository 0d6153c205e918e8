"""A batch of restore work: blobs grouped by pack, and the steps to run once all are written."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from nightsafe.file_restorer.read_plan import Piece
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.tree import Node
from nightsafe.target.metadata import Described
from nightsafe.target.place import Place


@dataclass
class Unfinished:
    """A file of several blobs, or of several names, that lies under a temporary name."""

    place: Place
    name: bytes
    temporary: bytes
    node: Node
    identity: tuple[int, int]
    problem: str = ""
    is_done: bool = False


@dataclass
class Link:
    """One more name of a file."""

    place: Place
    name: bytes
    node: Node
    first: Unfinished


class Left(NamedTuple):
    """A folder in which nothing more is made; `is_new` if this restore made it."""

    place: Place
    node: Node
    is_new: bool


@dataclass
class Batch:
    """What was gathered and goes out together; `pieces` and `size` (sealed bytes) say how much.

    It `is_sent` when all its comparisons are over and its pieces are on their way.
    """

    number: int
    places: list[Place] = field(default_factory=list)
    numbers: dict[bytes, int] = field(default_factory=dict)
    packs: dict[bytes, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    pieces: int = 0
    size: int = 0
    unfinished: list[Unfinished] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    open_jobs: int = 0
    open_comparisons: int = 0
    is_sent: bool = False

    def number_of(self, place: Place) -> int:
        """The number that stands for a folder in this batch."""
        number = self.numbers.setdefault(place.path, len(self.places))
        if number == len(self.places):
            self.places.append(place)
        return number

    def add(
        self,
        place: Place,
        name: bytes,
        where: BlobLocation,
        blob: bytes,
        *,
        position: int = 0,
        file: int = 0,
        attributes: Described | None = None,
    ) -> None:
        """Take in one blob and what it becomes; see `Piece`."""
        pack, offset, length, plain_length = where
        number = self.number_of(place)
        self.packs[pack].append(
            Piece(offset, length, plain_length, blob, number, name, position, file, attributes)
        )
        self.pieces += 1
        self.size += length
