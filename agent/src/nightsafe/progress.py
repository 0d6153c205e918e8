"""What a backup or restore tells while it runs; whoever listens decides how to show it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Totals:
    """How much there will be to do, once that is known."""

    files: int
    bytes: int


@dataclass(frozen=True)
class Advanced:
    """`bytes` more of file contents were dealt with."""

    bytes: int


@dataclass(frozen=True)
class FileDone:
    """One file is finished. `state`: new, changed, unchanged, or restored."""

    path: bytes
    state: str


@dataclass(frozen=True)
class Issue:
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


Event = Totals | Advanced | FileDone | Issue
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An observer for those who do not want to know."""


def show_path(path: bytes) -> str:
    """A path as text that is safe to print: no control characters, no broken encoding."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
