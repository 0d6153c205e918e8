"""A backup worker: does one job at a time, in its own process or in the main one.

Jobs and results are plain tuples of numbers, bytes and lists, since they pass between
processes. A folder's result holds its nodes' JSON with gaps, which the parent fills: the
tree id of each folder in it, and the node of each large file.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from nightsafe.backend.base import Backend
from nightsafe.chunker.chunker import MIN_SIZE, Chunker, derive_gear, new_cutter
from nightsafe.chunker.rabin import new_rabin_cutter
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.crypto.sha256 import digests
from nightsafe.errors import WorkerError
from nightsafe.file_saver.blob_set import BlobSet
from nightsafe.file_saver.file_reader import doubts, read_into, replaced
from nightsafe.file_saver.node_json import encode_entry, encode_file
from nightsafe.file_saver.small_files import SmallFiles
from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.fs.files import fstat, open_to_read
from nightsafe.fs.lstat import load
from nightsafe.fs.status import StatEntry, Status
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.packer.journal import Journal
from nightsafe.packer.open_packs import OpenPacks
from nightsafe.packer.pack_builder import FinishedPack, Tail
from nightsafe.packer.pack_sender import PackSender, SentPack
from nightsafe.repofile.config import Config
from nightsafe.repofile.pack import BlobKind
from nightsafe.scanner.fingerprint import Fingerprint
from nightsafe.scanner.lister import (
    SLICE_ENTRIES,
    Entry,
    Lister,
    Problem,
    list_folder,
    problem_of,
)
from nightsafe.scanner.parent_tree import ParentTree
from nightsafe.scanner.stat_trust import StatTrust
from nightsafe.workers.buffers import new_memory, trim

CHUNKERS = ("gear", "restic")
LARGE_FILE = 2 << 20
"""Files from this size on are cut by the parent and read by several workers."""
SMALL_TAIL = 4 << 20
PIECE_KEPT = 6 << 20
"""Pieces of large files are no larger, but for single chunks; memory for those is not kept."""


class WorkerSetup(NamedTuple):
    """What a worker needs to begin. `wants` decides by path, name and status what gets in.

    `chunker` is one of CHUNKERS, or empty for the vault's own choice. `trusts` says what is
    believed of what the former snapshot read, `will_trust` the same of what this one reads.
    """

    storage: Backend
    master: SealKey
    config: Config
    known: BlobSet
    journal: Journal | None = None
    wants: EntryFilter | None = None
    dry_run: bool = False
    senders: int = 2
    chunker: str = ""
    trusts: StatTrust = StatTrust()
    will_trust: StatTrust = StatTrust()
    shared: memoryview | None = None
    """The memory in which the parent leaves pieces of large files; None where workers see none."""

    def new_chunker(self) -> Chunker:
        """The chunker that files are cut with; parent and workers must cut alike."""
        if self.chunker == "restic":
            return Chunker(new_rabin_cutter(self.config.polynomial))
        return Chunker(new_cutter(derive_gear(self.master)))


@dataclass
class JobResult:
    """What a job found, and what the parent has to add to it.

    `parts` are nodes' JSON, in order; at each of `folders` (position, name, former tree id)
    a tree id is missing, at each of `large` (position, name, whether new, former blobs' ids in
    JSON or None) a whole node. In the end they must hold `entries` nodes: that is counted from
    what was seen, not from them. No `fingerprint`: some change to come might not move it.
    """

    entries: int = 0
    parts: list[bytes] = field(default_factory=list)
    folders: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    large: list[tuple[int, bytes, bool, str | None]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    done: list[tuple[bytes, str, int]] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    fingerprint: bytes = b""

    def count_added(self, blobs: int, size: int) -> None:
        """Count blobs that were new, and their bytes."""
        if not self.added:
            self.added = [0, 0]
        self.added[0] += blobs
        self.added[1] += size

    def as_tuple(self) -> tuple[object, ...]:
        """For the way to the parent."""
        return (
            self.entries,
            self.parts,
            self.folders,
            self.large,
            self.problems,
            self.done,
            self.added,
            self.fingerprint,
        )


class Worker:
    """Reads, cuts, seals and sends. `WorkerSetup` is shared, everything else is its own."""

    def __init__(self, setup: WorkerSetup) -> None:
        sealer = Sealer(setup.master)
        self._known = setup.known
        self._trusts, self._will_trust = setup.trusts, setup.will_trust
        self._lister = Lister(setup.wants)
        self._dry_run = setup.dry_run
        self._chunker = setup.new_chunker()
        self._fingerprint = Fingerprint(setup.master)
        self._shared = setup.shared
        self._buffer = memoryview(b"")
        self._file_buffer = memoryview(new_memory(LARGE_FILE))
        by = BlobSealer(sealer, compresses=setup.config.compresses)
        self._packs = OpenPacks(BlobKind.DATA, by)
        self._small = SmallFiles(setup.known, by)
        self._sender = PackSender(
            setup.storage,
            Sealer(setup.master),
            threads=setup.senders,
            journal=setup.journal,
            dry_run=setup.dry_run,
        )

    # Jobs

    def folder(self, path: bytes, previous: bytes) -> JobResult | list[bytes]:
        """Everything in a folder; or only its names, if they are so many that slices are better.

        `previous` is the tree it had before, or empty. OSError if it cannot be listed.
        """
        entries = list_folder(path)
        if len(entries) > SLICE_ENTRIES:
            return [name for name, _ in entries]
        return self.entries(entries, previous)

    def entries(self, entries: list[Entry], previous: bytes) -> JobResult:
        """The given entries (name, path) of one folder, in this order."""
        found = JobResult()
        before = ParentTree(previous, found.problems)
        seen = self._lister.stat_entries(entries, found.problems)
        found.entries = len(seen)
        if self._will_trust.holds_all(seen):
            found.fingerprint = self._fingerprint.of(seen)
        at = 0
        while at < len(seen):
            at = self._gather(found, seen, at) if before.is_empty else at
            if at == len(seen):
                break
            name, path, status = seen[at]
            try:
                self._entry(found, before, name, path, status)
            except OSError as error:
                found.problems.append(problem_of(path, error))
                found.entries -= 1
            at += 1
        return found

    def _gather(self, found: JobResult, seen: list[StatEntry], start: int) -> int:
        """Store new files from `start` on in one call, up to one that is not small and plain."""
        while True:
            start, full = self._small.gather(seen, start, self._packs, found)
            if full is None:
                return start
            self._send(full)

    def pieces(self, pieces: list[tuple[int, int]]) -> tuple[str, int, list[int]]:
        """Store pieces (place, length) in shared memory: their ids in JSON, bytes, what was new."""
        if self._shared is None:
            raise WorkerError("A worker was asked for memory that it does not see.")
        added = [0, 0]
        parts = [self._shared[place : place + length] for place, length in pieces]
        return self._store_all(parts, added), sum(map(len, parts)), added

    def ranges(
        self, path: bytes, identity: tuple[int, int], ranges: list[tuple[int, int]]
    ) -> tuple[str, int, list[int]]:
        """Store ranges (offset, length) of a large file: their ids in JSON, bytes, what was new.

        OSError if the path now means another file or cannot be read.
        """
        added = [0, 0]
        fd = open_to_read(path)
        try:
            status = fstat(fd)
            if (status.st_dev, status.st_ino) != identity:
                raise FileNotFoundError(2, "replaced")
            parts = self._read_ranges(fd, ranges)
        finally:
            os.close(fd)
        ids = self._store_all(parts, added)
        size = sum(map(len, parts))
        parts.clear()
        if len(self._buffer) > PIECE_KEPT:
            self._buffer = memoryview(b"")
            trim()
        return ids, size, added

    def _read_ranges(self, fd: int, ranges: list[tuple[int, int]]) -> list[memoryview]:
        """What is at each of the ranges, until this is called again; less where the file ends."""
        size = sum(length for _, length in ranges)
        if size > len(self._buffer):
            self._buffer = memoryview(new_memory(max(size, PIECE_KEPT)))
        parts, start = [], 0
        for offset, length in ranges:
            count = read_into(fd, self._buffer[start : start + length], offset)
            if count:
                parts.append(self._buffer[start : start + count])
            start += length
        return parts

    def sent(self) -> list[tuple[bytes, bytes, int]]:
        """The packs that arrived since this was last asked: id, opened header, size."""
        return list(map(flatten, self._sender.sent()))

    def finish(self) -> tuple[list[tuple[bytes, bytes, int]], Tail]:
        """Send what is worth a pack; returns the packs that arrived, and the blobs left over."""
        self._send(self._packs.merge())
        tail = self._packs.take()
        if len(tail.data) >= SMALL_TAIL:
            self._send(self._packs.absorb(tail) or self._packs.merge() or self._packs.finish())
            tail = Tail(b"", b"", 0)
        return list(map(flatten, self._sender.finish())), tail

    # Entries

    def _entry(
        self, found: JobResult, before: ParentTree, name: bytes, path: bytes, status: Status
    ) -> None:
        mode = status.st_mode
        if stat.S_ISREG(mode):
            self._file(found, before, name, path, status)
        elif stat.S_ISDIR(mode):
            # The node first: if it cannot be made, nothing may point to where it would stand.
            node = encode_entry(name, path, status, found.problems)
            found.folders.append((len(found.parts), name, before.subtree(name)))
            found.parts.append(node)
        elif stat.S_ISSOCK(mode):
            found.entries -= 1  # nobody could use it after a restore
        else:
            found.parts.append(encode_entry(name, path, status, found.problems))

    def _file(
        self, found: JobResult, before: ParentTree, name: bytes, path: bytes, status: Status
    ) -> None:
        former = self._former_ids(before, name, status)
        if former is not None and self._trusts.holds(status):
            size, problems = status.st_size, found.problems
            node = encode_file(name, path, status, size=size, ids=f"[{former}]", problems=problems)
            found.parts.append(node.encode())
            found.done.append((name, "unchanged", status.st_size))
            return
        is_new = name not in before
        if status.st_size >= LARGE_FILE:
            found.large.append((len(found.parts), name, is_new, former))
            found.parts.append(b"")
            return
        read = self.read_file(found, name, path, status)
        if read is not None:
            size, ids = read
            found.done.append((name, state_of(ids, former, is_new=is_new), size))

    def _former_ids(self, before: ParentTree, name: bytes, status: Status) -> str | None:
        """The blobs of a file that looks as it did, as far as all of them are there."""
        content = before.content_if_unchanged(name, status)
        if content is None or not all(map(self._known.__contains__, map(bytes.fromhex, content))):
            return None
        return ",".join([f'"{blob}"' for blob in content])

    def read_file(
        self, found: JobResult, name: bytes, path: bytes, seen: Status
    ) -> tuple[int, str] | None:
        """Store a file and add its node, whose times are from before it was read.

        Returns its size and its blobs' ids in JSON, or None if it stays out.
        """
        has_xattrs = load(path, seen, self._file_buffer)
        if has_xattrs is None:
            return self._read_moving(found, name, path)
        data = self._file_buffer[: seen.st_size]
        ids = self._cut(data, found)
        node = encode_file(
            name,
            path,
            seen,
            size=len(data),
            ids=f"[{ids}]",
            problems=found.problems,
            xattrs=has_xattrs,
        )
        found.parts.append(node.encode())
        return len(data), ids

    def _read_moving(self, found: JobResult, name: bytes, path: bytes) -> tuple[int, str] | None:
        """As `read_file`, for a file that is not what it was a moment ago, or cannot be read."""
        fd = open_to_read(path)
        try:
            before = fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                found.problems.append(replaced(path))
                found.entries -= 1
                return None
            ids, size = self._contents(fd, found)
            after = fstat(fd)
        finally:
            os.close(fd)
        problems = doubts(path, before, after, size)
        node = encode_file(name, path, before, size=size, ids=f"[{ids}]", problems=problems)
        found.problems += problems
        found.parts.append(node.encode())
        return size, ids

    def _contents(self, fd: int, found: JobResult) -> tuple[str, int]:
        """The ids in JSON and the size of what a file holds from here on."""
        added, size, ids = _added(found), 0, []
        for chunk in self._chunker.chunks(lambda n: os.read(fd, n)):
            ids.append(self._store_all([chunk], added))
            size += len(chunk)
        return ",".join(ids), size

    def _cut(self, data: memoryview, found: JobResult) -> str:
        """The ids in JSON of a file's content."""
        added = _added(found)
        if len(data) <= MIN_SIZE:
            return self._store_all([data], added) if data else ""
        ends = [0, *self._chunker.ends(data)]
        return self._store_all([data[a:b] for a, b in pairwise(ends)], added)

    def _store_all(self, blobs: "Sequence[bytes | memoryview]", added: list[int]) -> str:
        """Store blobs unless they are known; returns their ids in JSON."""
        ids = digests(blobs)
        for blob_id, data in zip(ids, blobs, strict=True):
            if self._known.claim(blob_id):
                added[0] += 1
                added[1] += len(data)
                self._send(self._packs.add(blob_id, data))
        return ",".join([f'"{blob_id.hex()}"' for blob_id in ids])

    def _send(self, pack: FinishedPack | None) -> None:
        if pack is not None:
            self._sender.send(pack)


def _added(found: JobResult) -> list[int]:
    """Where what is new is counted: blobs, bytes."""
    if not found.added:
        found.added = [0, 0]
    return found.added


def state_of(ids: str, former: str | None, *, is_new: bool) -> str:
    """What a file is that was read: one that holds what it did, and looks so, has not changed."""
    if is_new:
        return "new"
    return "unchanged" if ids == former else "changed"


def flatten(pack: SentPack) -> tuple[bytes, bytes, int]:
    """A pack that arrived, for the way to the parent."""
    return pack.id, pack.header, pack.size
