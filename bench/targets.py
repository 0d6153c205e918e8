"""The ratios that the agent must reach, and those it aims at: a peer's seconds by its own."""

from typing import NamedTuple


class Target(NamedTuple):
    """How many times as fast as a peer: what it must be, and what is aimed at."""

    must: float
    goal: float


TARGETS: dict[tuple[str, str], Target] = {
    ("a first", "restic"): Target(1.8, 2.3),
    ("b first", "restic"): Target(2.0, 2.5),
    ("c first", "restic"): Target(1.8, 2.4),
    ("a unchanged", "restic"): Target(4.5, 8),
    ("c edited", "restic"): Target(1.6, 2.2),
    ("a restore", "restic"): Target(1.5, 2.1),
    ("b restore", "restic"): Target(1.5, 2),
    ("c restore", "restic"): Target(1.5, 2),
    ("f first", "restic"): Target(2, 2),
    ("f unchanged", "restic"): Target(5, 5),
    ("h over", "restic"): Target(1.5, 2),
    ("u over", "restic"): Target(2.5, 3),
    ("s first", "restic"): Target(1.0, 1.4),
    ("s again", "restic"): Target(1.0, 1.4),
    ("a first", "borg"): Target(3.5, 4.2),
    ("b first", "borg"): Target(2.6, 3.2),
    ("c first", "borg"): Target(2.0, 2.7),
    ("a unchanged", "borg"): Target(12, 25),
    ("c edited", "borg"): Target(3, 4),
    ("a restore", "borg"): Target(4, 5.4),
    ("b restore", "borg"): Target(2.5, 3.3),
    ("c restore", "borg"): Target(2.5, 3.3),
}
MEMORY_CASE, MEMORY_MUST = "a first", 250_000_000
GROWTH_CASE, GROWTH_FILES, GROWTH_MUST = "f first", 921_421, 30_000_000
"""Case (f) has so many files more than (a); the bytes that a million more may take."""
SIZE_PEER, SIZE_MUST = "restic", 1.02


BEFORE, BEFORE_MUST = "before", 0.97
"""Against another build of the agent: no case may lose more than 3 %."""


def judge(case: str, peer: str, ratio: float) -> str:
    """Say in a word whether a ratio reaches its target; empty where there is none."""
    if peer == BEFORE:
        return "must" if ratio >= BEFORE_MUST else "MISSED"
    target = TARGETS.get((case, peer))
    if target is None:
        return ""
    if ratio >= target.goal:
        return "goal"
    return "must" if ratio >= target.must else "MISSED"
