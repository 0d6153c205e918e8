"""A batch of restore work: blobs grouped by pack, and the steps to run once all are written."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from nightsafe.file_restorer.read_plan import Piece
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.tree import Node
from nightsafe.target.folder_ref import FolderRef
from nightsafe.target.metadata import RawAttributes


@dataclass
class PartialFile:
    """A file of several blobs, or with several links, under a temporary name."""

    ref: FolderRef
    name: bytes
    temporary: bytes
    node: Node
    identity: tuple[int, int]
    problem: str = ""
    is_done: bool = False


@dataclass
class Link:
    """A further hard link to a file."""

    ref: FolderRef
    name: bytes
    node: Node
    first: PartialFile


class FinishedFolder(NamedTuple):
    """A folder that gets no more entries; `is_new` if this restore made it."""

    ref: FolderRef
    node: Node
    is_new: bool


@dataclass
class Batch:
    """A batch of restore work; `pieces` and `size` (sealed bytes) measure it.

    It `is_sent` when all its comparisons are done and its pieces were submitted.
    """

    number: int
    refs: list[FolderRef] = field(default_factory=list)
    numbers: dict[bytes, int] = field(default_factory=dict)
    packs: dict[bytes, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    pieces: int = 0
    size: int = 0
    partial_files: list[PartialFile] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    finished_folders: list[FinishedFolder] = field(default_factory=list)
    open_jobs: int = 0
    open_comparisons: int = 0
    is_sent: bool = False

    def number_of(self, ref: FolderRef) -> int:
        """Return the number of a folder in this batch."""
        number = self.numbers.setdefault(ref.path, len(self.refs))
        if number == len(self.refs):
            self.refs.append(ref)
        return number

    def add(
        self,
        ref: FolderRef,
        name: bytes,
        where: BlobLocation,
        blob: bytes,
        *,
        position: int = 0,
        file: int = 0,
        attributes: RawAttributes | None = None,
    ) -> None:
        """Add a blob and what is made of it; see `Piece`."""
        pack, offset, length, plain_length = where
        number = self.number_of(ref)
        self.packs[pack].append(
            Piece(offset, length, plain_length, blob, number, name, position, file, attributes)
        )
        self.pieces += 1
        self.size += length
