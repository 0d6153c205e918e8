"""The events that a backup or restore reports while it runs."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class Totals(NamedTuple):
    """How much there will be to do, once that is known."""

    files: int
    bytes: int


class Advanced(NamedTuple):
    """`bytes` more of file contents were dealt with."""

    bytes: int


class Sent(NamedTuple):
    """`bytes` more arrived in the repository, sealed and as a rule compressed."""

    bytes: int


class FilesDone(NamedTuple):
    """Some files are done: name, state (new, changed, unchanged, restored), bytes.

    One event tells of many: there may be twenty thousand files a second. `path_of` gives the path
    of a name.
    """

    files: Sequence[tuple[bytes, str, int]]
    path_of: Callable[[bytes], bytes]

    def with_paths(self) -> Iterator[tuple[bytes, str, int]]:
        """The files with their paths instead of their names."""
        return ((self.path_of(name), state, size) for name, state, size in self.files)


class FileDone(NamedTuple):
    """One file is finished. `state`: unchanged, restored or deleted."""

    path: bytes
    state: str


class Issue(NamedTuple):
    """Something about one path that the user should know.

    `kind`: unreadable and failed make the work incomplete; vanished, changed, metadata,
    damaged and notice do not.
    """

    kind: str
    path: bytes
    text: str

    @property
    def is_failure(self) -> bool:
        """Whether the result lacks something because of this."""
        return self.kind in ("unreadable", "failed")

    def __str__(self) -> str:
        return f"{show_path(self.path)}: {self.text}" if self.path else self.text


Event = Totals | Advanced | Sent | FilesDone | FileDone | Issue
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An observer for those who do not want to know."""


class ProgressMeter:
    """Adds up events; what every way of showing progress needs."""

    def __init__(self) -> None:
        self.files = self.bytes = self.sent = 0
        self.totals: Totals | None = None
        self.path = b""
        self._began = time.monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case Advanced(size):
                self.bytes += size
            case FilesDone(files, path_of):
                self.files += len(files)
                self.path = path_of(files[-1][0])
            case FileDone(path, _):
                self.files += 1
                self.path = path
            case Sent(size):
                self.sent += size
            case Totals():
                self.totals = event

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.monotonic() - self._began

    @property
    def speed(self) -> float:
        """Bytes a second so far."""
        return self.bytes / max(self.seconds, 0.001)

    @property
    def seconds_left(self) -> float | None:
        """How long it may still take; None while nothing can be said."""
        if self.totals is None or not self.bytes:
            return None
        return max(0, self.totals.bytes - self.bytes) / self.speed


def show_path(path: bytes) -> str:
    """A path as text that is safe to print: no control characters, no broken encoding."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
