"""Spells where the copies of an object are, and in what state, as one short text.

Each copy is its region's primary key and a letter; one that waits has beside it since when, in
spans of ten minutes, and a mark if it was given up: `1s 2p2964912 4c2964900!`. All objects of a
vault that read alike are counted together, so the letters are few, and the moments coarse.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from storage.models import Replica

SPAN = 600  # seconds
LETTERS = {
    Replica.State.STORED.value: "s",
    Replica.State.PENDING.value: "p",
    Replica.State.CORRUPT.value: "c",
    Replica.State.MISSING.value: "m",
}
_STATES = {letter: state for state, letter in LETTERS.items()}


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of an object in a region (by primary key), there or still to be made.

    `since` is when the span ended in which it began to wait, None for one that is there.
    """

    region: int
    state: str
    since: datetime | None = None
    is_parked: bool = False

    @property
    def is_there(self) -> bool:
        """Whether its bytes are stored."""
        return self.state == Replica.State.STORED

    @property
    def is_damaged(self) -> bool:
        """Whether it was there, and is corrupt or missing."""
        return self.state in Replica.DAMAGED


def spell(region: int, state: str, since: datetime, *, is_parked: bool = False) -> str:
    """Return the text of one copy."""
    letter = LETTERS[state]
    if letter == "s":
        return f"{region}s"
    return f"{region}{letter}{int(since.timestamp()) // SPAN}{'!' * is_parked}"


def join(spelled: Iterable[str]) -> str:
    """Return the text of all copies of an object, which has one order."""
    return " ".join(sorted(spelled))


@lru_cache(4096)
def parse(copies: str) -> tuple[Copy, ...]:
    """Return the copies that a text speaks of."""
    return tuple(map(_copy, copies.split()))


def _copy(spelled: str) -> Copy:
    is_parked = spelled.endswith("!")
    digits = spelled.rstrip("!")
    letter = next(one for one in digits if one.isalpha())
    region, _, span = digits.partition(letter)
    since = datetime.fromtimestamp((int(span) + 1) * SPAN, UTC) if span else None
    return Copy(int(region), _STATES[letter], since, is_parked)
