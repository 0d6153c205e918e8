"""The events that a backup or restore reports while it runs."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class Totals(NamedTuple):
    """How much there is to do, once that is known."""

    files: int
    bytes: int


class Advanced(NamedTuple):
    """`bytes` more of file contents were processed."""

    bytes: int


class Sent(NamedTuple):
    """`bytes` more were stored in the repository, sealed and normally compressed."""

    bytes: int


class FilesDone(NamedTuple):
    """Files are done: name, state (new, changed, unchanged, restored), bytes.

    One event reports many, since there may be twenty thousand files a second. `path_of` returns the
    path of a name.
    """

    files: Sequence[tuple[bytes, str, int]]
    path_of: Callable[[bytes], bytes]

    def with_paths(self) -> Iterator[tuple[bytes, str, int]]:
        """Yield the files with their paths instead of their names."""
        return ((self.path_of(name), state, size) for name, state, size in self.files)


class FileDone(NamedTuple):
    """A file is done. `state`: unchanged, restored or deleted."""

    path: bytes
    state: str


class Issue(NamedTuple):
    """Something about a path that the user should know.

    `kind`: unreadable and failed make the work incomplete; vanished, changed, metadata, damaged and
    notice do not.
    """

    kind: str
    path: bytes
    text: str

    @property
    def is_failure(self) -> bool:
        """Whether it makes the work incomplete."""
        return self.kind in ("unreadable", "failed")

    def __str__(self) -> str:
        return f"{show_path(self.path)}: {self.text}" if self.path else self.text


Event = Totals | Advanced | Sent | FilesDone | FileDone | Issue
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignore an event; the default observer."""


class ProgressMeter:
    """Accumulates events into figures for any display of progress."""

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
        """Seconds since the work began."""
        return time.monotonic() - self._began

    @property
    def speed(self) -> float:
        """Bytes per second so far."""
        return self.bytes / max(self.seconds, 0.001)

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds left; None while unknown."""
        if self.totals is None or not self.bytes:
            return None
        return max(0, self.totals.bytes - self.bytes) / self.speed


def show_path(path: bytes) -> str:
    """Format a path as printable text, without control characters or broken encoding."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
