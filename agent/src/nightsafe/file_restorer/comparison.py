"""Compares files in the target with the snapshot before anything is fetched, in the workers."""

import stat
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from typing import Any, NamedTuple

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.file_restorer.match import SAME, TO_SET, Check, RawCheck, compare
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.tree import Node, go_mode, posix_permissions
from nightsafe.target.directory import Directory
from nightsafe.target.metadata import Attributes
from nightsafe.target.place import Place

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


class Comparison(NamedTuple):
    """Checks by folder, with the nodes that they are of.

    Those stay with whoever made the job, as does `batch`, a number.
    """

    batch: int
    groups: list[tuple[Place, list[RawCheck], list[Node]]]

    @property
    def checks(self) -> int:
        """How many there are."""
        return sum(len(checks) for _, checks, _ in self.groups)

    def __reduce__(self) -> tuple[Callable[..., "Comparison"], tuple[object, ...]]:
        """For the way to another process."""
        return _rebuilt, (self.batch, [(tuple(place), checks) for place, checks, _ in self.groups])


def _rebuilt(batch: int, groups: list[tuple[Any, list[RawCheck]]]) -> Comparison:
    return Comparison(batch, [(Place(*place), checks, []) for place, checks in groups])


class Compared(NamedTuple):
    """The numbers of checks, counted through all groups, that came out other than they should,
    and what could not be set of some that are right."""

    others: list[int]
    notes: list[tuple[int, str]]


def run(job: Comparison, open_folder: Callable[[Place], Directory]) -> Compared:
    """Compare, and set the attributes of what is right. RestoreError if a folder was moved."""
    result, number = Compared([], []), 0
    for place, checks, _ in job.groups:
        folder = open_folder(place)
        for raw, verdict in zip(checks, compare(folder, checks), strict=True):
            if verdict == TO_SET:
                _set(folder, Check(*raw), number, result)
            elif verdict != SAME:
                result.others.append(number)
            number += 1
    return result


def _set(folder: Directory, check: Check, number: int, result: Compared) -> None:
    """Set the attributes of a file that is right; if it is but a part, they can wait."""
    if check.position or sum(array("Q", check.lengths)) != check.size:
        return
    mode = go_mode(stat.S_IFREG | check.mode)
    its = Attributes("file", mode, check.uid, check.gid, check.atime, check.mtime, check.xattrs)
    try:
        if lost := folder.set_of_kept(check.name, its):
            result.notes.append((number, ", ".join(lost)))
    except OSError:
        result.others.append(number)


@dataclass
class Parts:
    """A file that is compared in several jobs; `is_right` until one says otherwise."""

    left: int
    is_right: bool = True


@dataclass
class Gathering:
    """Gathers checks into jobs of bounded size."""

    located: Mapping[bytes, BlobLocation]
    parts: dict[tuple[bytes, bytes], Parts] = field(default_factory=dict)
    _groups: dict[bytes, tuple[Place, list[RawCheck], list[Node]]] = field(default_factory=dict)
    _count: int = 0
    _size: int = 0

    def take(
        self, batch: int, place: Place, nodes: Iterable[Node]
    ) -> tuple[list[Comparison], list[Node]]:
        """Jobs that are full now, and the nodes that cannot be compared."""
        jobs: list[Comparison] = []
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
                self._add(place, node, check, size)
            else:
                jobs += self._take_parts(batch, place, node, others)
            if self._size >= JOB_BYTES or self._count >= _JOB_FILES:
                jobs += self.rest(batch)
        return jobs, others

    def rest(self, batch: int) -> list[Comparison]:
        """What was gathered, as one job or none."""
        if not self._count:
            return []
        job = Comparison(batch, list(self._groups.values()))
        self._groups, self._count, self._size = {}, 0, 0
        return [job]

    def _add(self, place: Place, node: Node, check: RawCheck, size: int) -> None:
        group = self._groups.get(place.path)
        if group is None:
            group = self._groups[place.path] = (place, [], [])
        group[1].append(check)
        group[2].append(node)
        self._count += 1
        self._size += size

    def _take_parts(
        self, batch: int, place: Place, node: Node, others: list[Node]
    ) -> list[Comparison]:
        """The jobs for a file of several blobs, or of none, in parts if it is large."""
        name, size, _, content, mode, *rest = _parts_of(node)
        lengths = self._lengths(node)
        if lengths is None:
            others.append(node)
            return []
        jobs: list[Comparison] = []
        ends = list(_parts(lengths))
        if len(ends) > 1:
            self.parts[place.path, name] = Parts(len(ends))
        position = start = 0
        for end in ends:
            part, ids = lengths[start:end], b"".join(content[start:end])
            check = (name, position, ids, part.tobytes(), size, 1, _permissions(mode), *rest)
            self._add(place, node, check, sum(part))
            position, start = position + sum(part), end
            if self._size >= JOB_BYTES:
                jobs += self.rest(batch)
        return jobs

    def _lengths(self, node: Node) -> "array[int] | None":
        """Those of a file's blobs; None unless all are known and add up."""
        lengths = array("Q")
        for blob in node.content or ():
            where = self.located.get(blob)
            if where is None:
                return None
            lengths.append(where.plain_length or where.length - OVERHEAD)
        return lengths if sum(lengths) == node.size else None


def _parts(lengths: "array[int]") -> Iterable[int]:
    """Where the parts of a file end, of its blobs: one for all but the largest."""
    size = 0
    for number, length in enumerate(lengths[:-1], 1):
        size += length
        if size >= JOB_BYTES:
            yield number
            size = 0
    yield len(lengths)
