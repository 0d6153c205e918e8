"""Chooses which packs a check reads for `--read-data-subset`. Pure but for the random choice."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nightsafe.amounts import parse_size
from nightsafe.errors import UsageError

_PART = re.compile(r"(\d+)/(\d+)")
_MOST_PARTS = 256
Pack = tuple[bytes, int]
"""A pack's id, and its size in bytes."""


@dataclass(frozen=True)
class Subset:
    """A choice of packs, made with `parse`."""

    choose: Callable[[Sequence[Pack]], list[bytes]]

    @classmethod
    def parse(cls, text: str) -> "Subset":
        """`n/t` (part n of t), `x%`, or a size such as 2G; UsageError for anything else.

        All parts together are all packs, whoever divides them; shares and sizes are drawn at
        random.
        """
        if found := _PART.fullmatch(text):
            return cls(_part(int(found[1]), int(found[2])))
        if not text.endswith("%"):
            size = parse_size(text)
            return cls(lambda packs: _draw(packs, size))
        try:
            share = float(text[:-1])
        except ValueError:
            share = 0.0
        if not 0 < share <= 100:
            raise UsageError(f"{text!a} is not a share; write it like 10%, up to 100%.")
        return cls(lambda packs: _draw(packs, sum(size for _, size in packs) * share / 100))


def _part(number: int, parts: int) -> Callable[[Sequence[Pack]], list[bytes]]:
    if not 1 <= number <= parts <= _MOST_PARTS:
        raise UsageError(f"There is no part {number} of {parts}; write it like 1/5, up to 256/256.")
    return lambda packs: [pack for pack, _ in packs if pack[0] % parts == number - 1]


def _draw(packs: Sequence[Pack], wanted: float) -> list[bytes]:
    """Packs at random until they have so many bytes together; at least one, if there is any."""
    drawn: list[bytes] = []
    total = 0
    for pack, size in random.sample(packs, len(packs)):  # no secret depends on it
        if total >= wanted and drawn:
            break
        drawn.append(pack)
        total += size
    return drawn
