"""Which entries of the folders that are backed up stay out of the snapshot."""

import os
import stat
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nightsafe.errors import UsageError
from nightsafe.match import Patterns
from nightsafe.system import IS_WINDOWS, slashed

if TYPE_CHECKING:
    from nightsafe.look import Status

CACHE_TAG = (b"CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55")
"""The name of the file that marks a cache folder, and how it must begin."""

_HOMES = ("/home/*", "/root")  # people's, and the administrator's, on every Linux
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
"""Caches, trash and what the kernel makes up. Nothing here is somebody's only copy."""


class ExcludeRules(NamedTuple):
    """What the user wants left out. `larger_than` is in bytes, 0 for no bound.

    `markers` are pairs of a file's name and how it must begin: a folder that holds one is
    stored with nothing but that file.
    """

    patterns: tuple[str, ...] = ()
    caseless: tuple[str, ...] = ()
    markers: tuple[tuple[bytes, bytes], ...] = ()
    larger_than: int = 0
    one_file_system: bool = False


def defaults_for(sources: Iterable[bytes]) -> tuple[str, ...]:
    """The default patterns, without those that fit something that was asked for by name."""
    paths = [slashed(os.path.abspath(source)) for source in sources]
    return tuple(
        pattern for pattern in DEFAULT_EXCLUDES if not any(map(Patterns([pattern]).matches, paths))
    )


class Excluder:
    """Says of each entry whether it is wanted. Give it the sources for one file system.

    It must be asked from the top down: what lies in an unwanted folder is not asked for.
    UsageError for patterns that make no sense.
    """

    def __init__(self, rules: ExcludeRules, sources: Sequence[bytes] = ()) -> None:
        if IS_WINDOWS and rules.one_file_system:
            raise UsageError("--one-file-system is not there on Windows; leave drives out by name.")
        self.rules = rules
        self._sources = tuple(sources)
        self._here = os.path.join(os.getcwdb(), b"")
        self._patterns = Patterns(rules.patterns)
        self._caseless = Patterns(rules.caseless, ignore_case=True)
        self._devices = _devices(sources) if rules.one_file_system else {}
        self._marked: tuple[bytes, bytes | None] = (b"", None)

    def __reduce__(self) -> tuple[type["Excluder"], tuple[ExcludeRules, tuple[bytes, ...]]]:
        """For worker processes that do not begin with this one's memory."""
        return Excluder, (self.rules, self._sources)

    def excludes(self, path: bytes, *, is_dir: bool = False) -> bool:
        """Whether a pattern fits this path or a folder above it."""
        path = slashed(os.path.abspath(path))
        return self._patterns.matches(path) or self._caseless.matches(path)

    def wants_all(self, names: bytes) -> bool:
        """Whether it is sure, by their names alone, that all entries of a folder that is wanted
        are wanted, too. The names have zeros between them."""
        rules = self.rules
        if rules.larger_than or rules.markers or self._devices:
            return False
        return not any(
            patterns and not patterns.matches_none(names)
            for patterns in (self._patterns, self._caseless)
        )

    def __call__(self, path: bytes, name: bytes, status: "Status") -> bool:
        """Whether the entry `name` at `path`, which `status` describes, is to be stored."""
        if not path.startswith(b"/"):
            path = self._absolute(path)
        if self._patterns and self._patterns.matches_entry(path, name):
            return False
        if self._caseless and self._caseless.matches_entry(path, name):
            return False
        rules = self.rules
        if rules.larger_than and self._is_too_large(status):
            return False
        if self._devices and not self._is_here(path, status):
            return False
        return not rules.markers or self._marker_in(os.path.dirname(path)) in (None, name)

    def _absolute(self, path: bytes) -> bytes:
        if IS_WINDOWS or path.startswith(b"."):
            return slashed(os.path.abspath(path))
        return self._here + path

    def _is_too_large(self, status: "Status") -> bool:
        return not stat.S_ISDIR(status.st_mode) and status.st_size > self.rules.larger_than

    def _is_here(self, path: bytes, status: "Status") -> bool:
        """On the file system of its source. A folder that another one is mounted on is kept."""
        if self._allows(path, status.st_dev):
            return True
        if not stat.S_ISDIR(status.st_mode):
            return False
        parent = os.path.dirname(path)
        try:
            return self._allows(parent, os.lstat(parent).st_dev)
        except OSError:
            return False

    def _allows(self, path: bytes, device: int) -> bool:
        while (allowed := self._devices.get(path)) is None:
            above = os.path.dirname(path)
            if path == above:
                return True  # above every source: a folder on the way to one
            path = above
        return device == allowed

    def _marker_in(self, folder: bytes) -> bytes | None:
        """The name of the marker that a folder holds; the last answer is kept."""
        marked = self._marked  # which other threads may set meanwhile
        if marked[0] != folder:
            found = (name for name, start in self.rules.markers if _has_marker(folder, name, start))
            marked = self._marked = folder, next(found, None)
        return marked[1]


def _devices(sources: Sequence[bytes]) -> dict[bytes, int]:
    found = {}
    for source in (slashed(os.path.abspath(source)) for source in sources):
        try:
            found[source] = os.lstat(source).st_dev
        except OSError:
            continue
    return found


def _has_marker(folder: bytes, name: bytes, start: bytes) -> bool:
    path = os.path.join(folder, name)
    try:
        status = os.lstat(path)
        if not start:
            return True
        if not stat.S_ISREG(status.st_mode):
            return False
        with open(path, "rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False
