"""How the last drill ended, in the folder of what is remembered between runs."""

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nightsafe.fs.durability import read_file, replace_file
from nightsafe.settings.login import state_dir

if TYPE_CHECKING:
    from nightsafe.assurance.drill import DrillReport  # loads all that a restore needs

_LARGEST = 64 << 10


@dataclass(frozen=True)
class DrillRecord:
    """`passed_at`: when the last drill began that passed; None if none did."""

    at: datetime
    passed: bool
    passed_at: datetime | None
    snapshot: str
    files: int
    bytes: int
    failed: int

    def fields(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "at": self.at.isoformat(),
            "passed": self.passed,
            "passed_at": None if self.passed_at is None else self.passed_at.isoformat(),
            "snapshot_id": self.snapshot,
            "files": self.files,
            "bytes": self.bytes,
            "failed": self.failed,
        }


def load_record(folder: str = "") -> DrillRecord | None:
    """Return how the last drill ended; None if there was none, or it is not known any more."""
    try:
        fields = json.loads(read_file(_path(folder), _LARGEST))
        passed_at = fields["passed_at"]
        return DrillRecord(
            at=_moment(fields["at"]),
            passed=bool(fields["passed"]),
            passed_at=None if passed_at is None else _moment(passed_at),
            snapshot=str(fields["snapshot_id"]),
            files=int(fields["files"]),
            bytes=int(fields["bytes"]),
            failed=int(fields["failed"]),
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def save_record(report: "DrillReport", at: datetime, folder: str = "") -> DrillRecord:
    """Remember how a drill ended; where nothing can be written, it is only returned."""
    before = load_record(folder)
    record = DrillRecord(
        at=at,
        passed=report.has_passed,
        passed_at=at if report.has_passed else before.passed_at if before else None,
        snapshot=report.snapshot_id,
        files=report.files,
        bytes=report.bytes,
        failed=len(report.issues),
    )
    with contextlib.suppress(OSError):
        replace_file(_path(folder), json.dumps(record.fields()))
    return record


def _path(folder: str) -> str:
    return os.path.join(folder or state_dir(), "drill.json")


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)
