"""The state of one folder during a backup, from its name to its stored tree."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nightsafe.errors import TreeError
from nightsafe.file_saver.node_json import OPEN_SUBTREE
from nightsafe.scanner.prefetch import Prefetch
from nightsafe.scanner.tree_cache import FolderRecord, TreeCache

_OPEN = OPEN_SUBTREE.encode()


@dataclass
class BackupCount:
    """How many files, directories and bytes a backup dealt with, and what it added."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    directories: int = 0
    bytes: int = 0
    added_blobs: int = 0
    added_bytes: int = 0
    stored_bytes: int = 0

    def add_files(self, states: Sequence[str]) -> None:
        """Count files that are new, changed or unchanged."""
        self.new += states.count("new")
        self.changed += states.count("changed")
        self.unchanged += states.count("unchanged")


@dataclass(slots=True, eq=False)
class Folder:
    """A folder on its way; a slice of one, or a lone file, when `is_splice`.

    `parts` are its nodes' JSON, of `entries` nodes; `waiting` is how many of them are not
    complete. While `is_same`, it is believed to be as the cache says, and `parts` is empty.
    """

    path: bytes
    above: "Folder | None"
    slot: int = 0
    name: bytes = b""
    former: bytes = b""
    record: FolderRecord | None = None
    key: bytes = b""
    parts: list[bytes] = field(default_factory=list)
    entries: int = 0
    waiting: int = 0
    is_splice: bool = False
    is_same: bool = False
    is_planned: bool = False
    is_flawed: bool = False
    is_dirty: bool = False
    fingerprint: bytes = b""
    slices: dict[int, bytes] = field(default_factory=dict)
    below: dict[bytes, bytes] = field(default_factory=dict)
    entry_path: bytes = b""
    files: int = 0
    size: int = 0

    def path_of(self, name: bytes) -> bytes:
        """Where an entry of this folder is."""
        return self.entry_path or os.path.join(self.path, name)

    def fill(self, slot: int, tree_id: bytes) -> None:
        """Put a tree's id where it was missing, or nothing at all for a folder left out."""
        if not self.parts[slot].endswith(_OPEN):
            raise TreeError("A folder's list was mixed up while it was made. Please report this.")
        if tree_id:
            self.parts[slot] += tree_id.hex().encode() + b'"}'
        else:
            self.leave_out(slot)

    def leave_out(self, slot: int) -> None:
        """There is no node for a slot after all."""
        self.parts[slot] = b""
        self.entries -= 1


class ArchiveOptions(NamedTuple):
    """`workers`: how many processes; None for as many as there are cores, 0 for this one.

    `settle` is called before an index file is written. `ahead` has seen some folders already.
    """

    workers: int | None = None
    cache: TreeCache | None = None
    settle: Callable[[], None] = lambda: None
    ahead: Prefetch | None = None
