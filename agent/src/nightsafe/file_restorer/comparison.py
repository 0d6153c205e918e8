"""Compares files in the target with the snapshot, in the workers, before fetching anything."""

import stat
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from typing import Any, NamedTuple

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.file_restorer.match import SAME, TO_UPDATE, Check, RawCheck, compare
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.tree import Node, go_mode, posix_permissions
from nightsafe.target.directory import Directory
from nightsafe.target.folder_ref import FolderRef
from nightsafe.target.metadata import Attributes

_JOB_FILES, JOB_BYTES = 512, 16 << 20
_NOTHING = BlobLocation(b"", 0, 0, 0)
_permissions = lru_cache(maxsize=256)(posix_permissions)
_pack_length = Struct("Q").pack
_parts_of: Callable[[Node], tuple[Any, ...]]
_parts_of = itemgetter(
    *map(
        Node._fields.index,
        ("name", "size", "links", "content", "mode", "uid", "gid", "mtime", "xattrs", "atime"),
    )
)


class CompareJob(NamedTuple):
    """Checks grouped by folder, with the nodes that they are for.

    The nodes stay in this process; `batch` is a number for the caller.
    """

    batch: int
    groups: list[tuple[FolderRef, list[RawCheck], list[Node]]]

    @property
    def checks(self) -> int:
        """The number of checks."""
        return sum(len(checks) for _, checks, _ in self.groups)

    def __reduce__(self) -> tuple[Callable[..., "CompareJob"], tuple[object, ...]]:
        """Pickle without the nodes."""
        return _rebuild, (
            self.batch,
            [(tuple(ref), checks) for ref, checks, _ in self.groups],
        )


def _rebuild(batch: int, groups: list[tuple[Any, list[RawCheck]]]) -> CompareJob:
    return CompareJob(batch, [(FolderRef(*ref), checks, []) for ref, checks in groups])


class CompareResult(NamedTuple):
    """The result of a job; checks are numbered through all groups.

    `others` are checks of files that differ, `notes` say which attributes could not be set.
    """

    others: list[int]
    notes: list[tuple[int, str]]


def run(job: CompareJob, open_folder: Callable[[FolderRef], Directory]) -> CompareResult:
    """Compare files and set the attributes of correct ones. RestoreError if a folder was moved."""
    result, number = CompareResult([], []), 0
    for ref, checks, _ in job.groups:
        folder = open_folder(ref)
        for raw, verdict in zip(checks, compare(folder, checks), strict=True):
            if verdict == TO_UPDATE:
                _set(folder, Check(*raw), number, result)
            elif verdict != SAME:
                result.others.append(number)
            number += 1
    return result


def _set(folder: Directory, check: Check, number: int, result: CompareResult) -> None:
    """Set the attributes of a correct file, unless this is only a part of it."""
    if check.position or sum(array("Q", check.lengths)) != check.size:
        return
    mode = go_mode(stat.S_IFREG | check.mode)
    attributes = Attributes(
        "file", mode, check.uid, check.gid, check.atime, check.mtime, check.xattrs
    )
    try:
        if lost := folder.update_attributes(check.name, attributes):
            result.notes.append((number, ", ".join(lost)))
    except OSError:
        result.others.append(number)


@dataclass
class Parts:
    """A file compared in several jobs, of which some are `open`; `is_right` until one fails."""

    open: int
    is_right: bool = True


@dataclass
class CheckCollector:
    """Collects checks into jobs of bounded size."""

    located: Mapping[bytes, BlobLocation]
    parts: dict[tuple[bytes, bytes], Parts] = field(default_factory=dict)
    _groups: dict[bytes, tuple[FolderRef, list[RawCheck], list[Node]]] = field(default_factory=dict)
    _count: int = 0
    _size: int = 0

    def add(
        self, batch: int, ref: FolderRef, nodes: Iterable[Node]
    ) -> tuple[list[CompareJob], list[Node]]:
        """Add files; returns the jobs that are full, and the nodes that cannot be compared."""
        jobs: list[CompareJob] = []
        others: list[Node] = []
        get = self.located.get
        for node in nodes:
            name, size, links, content, mode, *rest = _parts_of(node)
            if content is None or links > 1:
                others.append(node)
            elif len(content) == 1:
                _, _, length, plain_length = get(content[0], _NOTHING)
                if (plain_length or max(0, length - OVERHEAD)) != size or not length:
                    others.append(node)
                    continue
                lengths = _pack_length(size)
                check = (name, 0, content[0], lengths, size, 1, _permissions(mode), *rest)
                self._add(ref, node, check, size)
            else:
                jobs += self._add_parts(batch, ref, node, others)
            if self._size >= JOB_BYTES or self._count >= _JOB_FILES:
                jobs += self.rest(batch)
        return jobs, others

    def rest(self, batch: int) -> list[CompareJob]:
        """Return the remaining checks, as one job or none."""
        if not self._count:
            return []
        job = CompareJob(batch, list(self._groups.values()))
        self._groups, self._count, self._size = {}, 0, 0
        return [job]

    def _add(self, ref: FolderRef, node: Node, check: RawCheck, size: int) -> None:
        group = self._groups.get(ref.path)
        if group is None:
            group = self._groups[ref.path] = (ref, [], [])
        group[1].append(check)
        group[2].append(node)
        self._count += 1
        self._size += size

    def _add_parts(
        self, batch: int, ref: FolderRef, node: Node, others: list[Node]
    ) -> list[CompareJob]:
        """Add a file of several blobs, in parts if it is large; returns full jobs."""
        name, size, _, content, mode, *rest = _parts_of(node)
        lengths = self._lengths(node)
        if lengths is None:
            others.append(node)
            return []
        jobs: list[CompareJob] = []
        ends = list(_parts(lengths))
        if len(ends) > 1:
            self.parts[ref.path, name] = Parts(len(ends))
        position = start = 0
        for end in ends:
            part, ids = lengths[start:end], b"".join(content[start:end])
            check = (name, position, ids, part.tobytes(), size, 1, _permissions(mode), *rest)
            self._add(ref, node, check, sum(part))
            position, start = position + sum(part), end
            if self._size >= JOB_BYTES:
                jobs += self.rest(batch)
        return jobs

    def _lengths(self, node: Node) -> "array[int] | None":
        """Return the lengths of a file's blobs; None unless all are known and add up."""
        lengths = array("Q")
        for blob in node.content or ():
            where = self.located.get(blob)
            if where is None:
                return None
            lengths.append(where.plain_length or where.length - OVERHEAD)
        return lengths if sum(lengths) == node.size else None


def _parts(lengths: "array[int]") -> Iterable[int]:
    """Yield the ends of a file's parts, counted in blobs; most files have only one."""
    size = 0
    for number, length in enumerate(lengths[:-1], 1):
        size += length
        if size >= JOB_BYTES:
            yield number
            size = 0
    yield len(lengths)
