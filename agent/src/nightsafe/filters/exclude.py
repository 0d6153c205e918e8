"""Decides which entries of a backup are excluded."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nightsafe.errors import UsageError
from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.filters.patterns import Patterns
from nightsafe.fs.files import (
    IS_WINDOWS,
    absolute,
    clean,
    current_folder,
    open_to_read,
    rooted,
    slashed,
)

if TYPE_CHECKING:
    from nightsafe.fs.status import Status

CACHE_TAG = (b"CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55")
"""The name of the file that marks a cache folder, and the prefix of its content."""

_HOMES = ("/home/*", "/root")  # home folders of users and of root
DEFAULT_EXCLUDES = (
    "/dev",
    "/proc",
    "/run",
    "/sys",
    *(f"{home}/.cache" for home in _HOMES),
    *(f"{home}/.local/share/Trash" for home in _HOMES),
    "/var/cache/apt/archives",
    ".Trash-[0-9]*",
    "lost+found",
)
"""Caches, trash and virtual file systems. Nothing here is anybody's only copy."""


class ExcludeRules(NamedTuple):
    """What the user excludes. `larger_than` is in bytes, None for no limit.

    `markers` are pairs of a file name and the prefix of its content: of a folder with such a file
    only that file is stored; nothing, if it has several.
    """

    patterns: tuple[str, ...] = ()
    caseless: tuple[str, ...] = ()
    markers: tuple[tuple[bytes, bytes], ...] = ()
    larger_than: int | None = None
    one_file_system: bool = False


def defaults_for(sources: Iterable[bytes]) -> tuple[str, ...]:
    """Return the default patterns, without those that match a path given by name."""
    paths = [slashed(absolute(source)) for source in sources]
    return tuple(
        pattern for pattern in DEFAULT_EXCLUDES if not any(map(Patterns([pattern]).matches, paths))
    )


class Excluder(EntryFilter):
    """Decides for each entry whether it is included. `sources` are the paths as given.

    It must be called for parents first: entries of an excluded folder are never asked about. A path
    given by name is always included; the rules apply to what is below it. UsageError for invalid
    patterns.
    """

    def __init__(self, rules: ExcludeRules, sources: Sequence[bytes] = ()) -> None:
        if IS_WINDOWS and rules.one_file_system:
            raise UsageError("--one-file-system is not there on Windows; leave drives out by name.")
        self.rules = rules
        self._sources = tuple(sources)
        self._given = frozenset(_given(sources))
        self._current_folder = (
            current_folder() if not sources or not all(map(os.path.isabs, sources)) else b"/"
        )
        self._patterns = self._ready(rules.patterns)
        self._caseless = self._ready(rules.caseless, ignore_case=True)
        self._devices = _devices(sources) if rules.one_file_system else {}
        self._marked: tuple[bytes, frozenset[bytes]] = (b"", frozenset())
        self._mounted: tuple[bytes, bool] = (b"", False)

    def __reduce__(self) -> tuple[type["Excluder"], tuple[ExcludeRules, tuple[bytes, ...]]]:
        """Pickle the rules and sources, for worker processes that are not forked."""
        return Excluder, (self.rules, self._sources)

    def _ready(self, texts: Sequence[str], *, ignore_case: bool = False) -> Patterns:
        """Compile patterns; these may decide by name only if no source matches them itself."""
        patterns = Patterns(texts, ignore_case=ignore_case)
        if any(map(patterns.matches, map(slashed, map(absolute, self._sources)))):
            return Patterns(texts, ignore_case=ignore_case, by_names=False)
        return patterns

    def excludes(self, path: bytes) -> bool:
        """Whether a pattern matches this path or a folder above it."""
        path = slashed(absolute(path))
        return self._patterns.matches(path) or self._caseless.matches(path)

    def includes_all(self, names: bytes) -> bool:
        rules = self.rules
        if rules.larger_than is not None or rules.markers or self._devices:
            return False
        return not any(
            patterns and not patterns.matches_none(names)
            for patterns in (self._patterns, self._caseless)
        )

    def __call__(self, path: bytes, name: bytes, status: "Status") -> bool:
        if path in self._given:
            return True
        where = path  # for system calls; patterns treat `..` above a link as the shell does
        if not path.startswith(b"/"):
            path = self._absolute(path)
        if not path.endswith(name):
            name = os.path.basename(path)  # it is stored under another name
        if self._patterns and self._patterns.matches_entry(path, name):
            return False
        if self._caseless and self._caseless.matches_entry(path, name):
            return False
        rules = self.rules
        if rules.larger_than is not None and _size(status) > rules.larger_than:
            return False
        if self._devices and not self._is_on_same_device(path, where, status):
            return False
        return not rules.markers or self._markers_in(_folder_of(where)) <= {name}

    def _absolute(self, path: bytes) -> bytes:
        return slashed(rooted(path, self._current_folder))

    def _is_on_same_device(self, path: bytes, where: bytes, status: "Status") -> bool:
        """Whether an entry is on its source's file system; mount points are included.

        Only folders are compared: on overlay file systems, files have other device numbers.
        """
        if stat.S_ISDIR(status.st_mode) and self._allows(path, status.st_dev):
            return True
        parent = _folder_of(where)
        mounted = self._mounted  # other threads may replace it meanwhile
        if mounted[0] != parent:
            is_mounted = self._is_mounted(os.path.dirname(path), parent)
            mounted = self._mounted = parent, is_mounted
        return not mounted[1]

    def _is_mounted(self, named: bytes, folder: bytes) -> bool:
        """Whether a listed folder is on another file system; if in doubt, it is."""
        try:
            return not self._allows(named, os.lstat(folder).st_dev)
        except OSError:
            return True

    def _allows(self, path: bytes, device: int) -> bool:
        while (allowed := self._devices.get(path)) is None:
            above = os.path.dirname(path)
            if path == above:
                return True  # a parent folder of a source
            path = above
        return device == allowed

    def _markers_in(self, folder: bytes) -> frozenset[bytes]:
        """Return the names of a folder's markers; the last result is cached."""
        marked = self._marked  # other threads may replace it meanwhile
        if marked[0] != folder:
            found = (name for name, start in self.rules.markers if _has_marker(folder, name, start))
            marked = self._marked = folder, frozenset(found)
        return marked[1]


def _folder_of(path: bytes) -> bytes:
    return os.path.dirname(path) or b"."


def _size(status: "Status") -> int:
    """Return the size that a limit applies to; that of a folder is 0."""
    return 0 if stat.S_ISDIR(status.st_mode) else status.st_size


def _given(sources: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the clean paths of sources that stand for themselves, not for their contents.

    ``.`` and ``/`` stand for their contents. An entry listed for such a source stays a listed one,
    as in stock restic, even if it is given by name later.
    """
    opened: set[bytes] = set()
    for source in sources:
        path = clean(source)
        if _stands_for_contents(path):
            opened.add(path)
        elif (os.path.dirname(path) or b".") not in opened:
            yield path


def _stands_for_contents(path: bytes) -> bool:
    rest = slashed(os.path.splitdrive(path)[1])
    return all(part in (b"", b".", b"..") for part in rest.split(b"/"))


def _devices(sources: Iterable[bytes]) -> dict[bytes, int]:
    found = {}
    for source in sources:
        try:
            found[slashed(absolute(source))] = os.lstat(source).st_dev
        except OSError:
            continue
    return found


def _has_marker(folder: bytes, name: bytes, start: bytes) -> bool:
    path = os.path.join(folder, name)
    try:
        if not start:
            return bool(os.lstat(path))
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(open_to_read(os.path.realpath(path)), "rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False
