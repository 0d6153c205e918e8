"""The options and the report of a restore."""

from dataclasses import dataclass, field

from nightsafe.errors import UsageError
from nightsafe.progress import Issue

OVERWRITE = ("always", "if-changed", "if-newer", "never")


@dataclass(frozen=True)
class RestoreOptions:
    """How to restore.

    `overwrite`: when to replace existing entries: `always`, `if-changed` (size or time differs),
    `if-newer` (the snapshot's is newer), or `never`. `delete` removes extraneous entries from
    restored folders. `verify` reads back what was written. `dry_run` changes nothing. `folder` is
    restored instead of the whole snapshot, without the folders above it. `workers` is the number of
    processes; None chooses it for this computer.
    """

    overwrite: str = "always"
    delete: bool = False
    verify: bool = False
    dry_run: bool = False
    folder: bytes = b""
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.overwrite not in OVERWRITE:
            raise UsageError(f"Overwriting is one of {', '.join(OVERWRITE)}.")


@dataclass
class RestoreReport:
    """The result of a restore."""

    files: int = 0
    directories: int = 0
    others: int = 0
    skipped: int = 0
    deleted: int = 0
    verified: int = 0
    bytes: int = 0
    seconds: float = 0.0
    issues: list[Issue] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether everything that was requested was restored."""
        return not any(issue.is_failure for issue in self.issues)
