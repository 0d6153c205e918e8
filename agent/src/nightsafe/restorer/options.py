"""The options of a restore, and its report."""

from dataclasses import dataclass, field

from nightsafe.errors import UsageError
from nightsafe.progress import Issue

OVERWRITE = ("always", "if-changed", "if-newer", "never")


@dataclass(frozen=True)
class RestoreOptions:
    """How to restore.

    `overwrite`: what happens to what stands in the way: `always` replaced, `if-changed` unless
    it has the same size and time, `if-newer` when the snapshot's is newer, or `never`.
    `delete` removes from restored folders what the snapshot does not hold. `verify` reads back
    what was written. `dry_run` changes nothing. `folder` is restored instead of the whole
    snapshot, without the folders above it. `workers` is the number of processes; None fits
    this computer.
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
    """What a restore did."""

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
        """Whether everything that was asked for was restored."""
        return not any(issue.is_failure for issue in self.issues)
