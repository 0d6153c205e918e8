"""When a recovery kit was made and last tried, in the folder of what is remembered between runs."""

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from nightsafe.fs.durability import read_file, replace_file
from nightsafe.settings.login import state_dir

ASKED_FOR_EVERY = timedelta(days=182)
"""A kit is asked for again twice a year: what nobody has seen for long may be gone."""
_LARGEST = 64 << 10


@dataclass(frozen=True)
class KitRecord:
    """Of which vault a kit was made on this computer, and tried; None for what never was."""

    vault: str
    made_at: datetime | None = None
    tried_at: datetime | None = None

    def fields(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "vault": self.vault,
            "made_at": None if self.made_at is None else self.made_at.isoformat(),
            "tried_at": None if self.tried_at is None else self.tried_at.isoformat(),
        }

    def is_asked_for(self, now: datetime) -> bool:
        """Return whether it is time to look whether the kit is still there."""
        return self.tried_at is None or now - self.tried_at >= ASKED_FOR_EVERY


def load_kit_record(folder: str = "") -> KitRecord | None:
    """Return what is known of a kit; None if none is known."""
    try:
        fields = json.loads(read_file(_path(folder), _LARGEST))
        return KitRecord(
            str(fields["vault"]), _moment(fields["made_at"]), _moment(fields["tried_at"])
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def save_kit_record(
    vault: str,
    *,
    made_at: datetime | None = None,
    tried_at: datetime | None = None,
    folder: str = "",
) -> KitRecord:
    """Remember that a kit was made or tried; where nothing can be written, it is only returned."""
    before = load_kit_record(folder)
    if before is None or before.vault != vault:
        before = KitRecord(vault)
    if made_at is not None:  # another sheet, which nobody has tried
        record = KitRecord(vault, made_at, tried_at)
    else:
        record = KitRecord(vault, before.made_at, tried_at or before.tried_at)
    with contextlib.suppress(OSError):
        replace_file(_path(folder), json.dumps(record.fields()))
    return record


def _path(folder: str) -> str:
    return os.path.join(folder or state_dir(), "kit.json")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)
