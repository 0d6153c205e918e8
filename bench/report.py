"""The table of a run, as text and as a page for the documentation."""

import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.cases import UNCHANGED, Results
from bench.peers import Peer
from bench.targets import (
    GROWTH_CASE,
    GROWTH_FILES,
    GROWTH_MUST,
    MEMORY_CASE,
    MEMORY_MUST,
    SIZE_MUST,
    SIZE_PEER,
    judge,
)

CASES = {
    "a first": "(a) kernel sources, first",
    "a unchanged": "(d) the same, unchanged",
    "a restore": "restore (a)",
    "b first": "(b) 2 GiB random, first",
    "b restore": "restore (b)",
    "c first": "(c) 2 GiB tar of /usr, first",
    "c edited": "(e) 100 edits of 4 KiB in (c)",
    "c restore": "restore (c)",
    "f first": "(f) 1,000,000 files, first",
    "f unchanged": "(f) unchanged",
    "g first": "(g) one release of Django",
    "g next": "(g) each next release",
    "h over": "(h) 1 GiB random, restored over it",
    "u over": "(u) /usr/share, /usr/include, the same",
    "s first": "(s) 1,000 snapshots far away",
    "s again": "(s) the same, again",
}
OURS = "nightsafe"
QUIET = 0.1


@dataclass(frozen=True)
class Row:
    """The medians of one case for one program, and our speed against it, round by round."""

    case: str
    peer: str
    wall: float
    cpu: float
    memory: int
    size: int
    ratio: float
    cpu_ratio: float


def rows(results: Results, peers: Sequence[Peer]) -> Iterator[Row]:
    """Every case that was measured, with the peers in their order."""
    for case in CASES:
        for peer in peers:
            if (case, peer.name) in results.costs:
                yield Row(
                    case,
                    peer.name,
                    statistics.median(_values(results, case, peer.name, "wall")),
                    statistics.median(_values(results, case, peer.name, "cpu")),
                    max(cost.memory for cost in results.costs[case, peer.name]),
                    results.sizes.get((case, peer.name), 0),
                    _ratio(results, case, peer.name, "wall"),
                    _ratio(results, case, peer.name, "cpu"),
                )


def _values(results: Results, case: str, peer: str, what: str) -> list[float]:
    return [getattr(cost, what) for cost in results.costs.get((case, peer), ())]


def _ratio(results: Results, case: str, peer: str, what: str) -> float:
    """The median of what a program took in each round, divided by what we took in the same one.

    So a machine that is slower for some minutes is so for both.
    """
    theirs, ours = (_values(results, case, name, what) for name in (peer, OURS))
    return statistics.median([a / b for a, b in zip(theirs, ours, strict=False)] or [0.0])


def table(results: Results, peers: Sequence[Peer], *, judged: bool = True) -> str:
    """A table in Markdown, readable as text too; `judged` says whether targets apply."""
    lines = [
        f"| {'case':<30} | {'program':<9} | {'wall s':>7} | {'CPU s':>7} | {'MB':>5} "
        f"| {'stored':>8} | {'ratio':>6} | {'by CPU':>6} | target |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows(results, peers):
        ratio = f"{row.ratio:.2f}" if row.peer != OURS else ""
        by_cpu = f"{row.cpu_ratio:.2f}" if row.peer != OURS else ""
        word = judge(row.case, row.peer, row.ratio) if judged and row.peer != OURS else ""
        size = f"{row.size / 1e6:.1f}" if row.size else ""
        lines.append(
            f"| {CASES[row.case]:<30} | {row.peer:<9} | {row.wall:7.2f} | {row.cpu:7.2f} "
            f"| {row.memory / 1e6:5.0f} | {size:>8} | {ratio:>6} | {by_cpu:>6} | {word:<6} |"
        )
    return "\n".join(lines)


def bounds(results: Results) -> list[str]:
    """What is bounded besides speed: memory, and the repository's size."""
    found = []
    if costs := results.costs.get((MEMORY_CASE, OURS)):
        peak = max(cost.memory for cost in costs)
        word = "reached" if peak <= MEMORY_MUST else "MISSED"
        found.append(f"Memory on (a): {peak / 1e6:.0f} MB of {MEMORY_MUST / 1e6:.0f}: {word}.")
        if larger := results.costs.get((GROWTH_CASE, OURS)):
            growth = (max(cost.memory for cost in larger) - peak) * 1_000_000 / GROWTH_FILES
            word = "reached" if growth <= GROWTH_MUST else "MISSED"
            found.append(
                f"Memory for a million files more, (f) against (a): {growth / 1e6:.0f} MB of "
                f"{GROWTH_MUST / 1e6:.0f}: {word}."
            )
    for case, peer in results.sizes:
        theirs = results.sizes.get((case, SIZE_PEER), 0)
        if peer == OURS and theirs:
            ratio = results.sizes[case, OURS] / theirs
            word = "reached" if ratio <= SIZE_MUST else "MISSED"
            found.append(
                f"Repository, {CASES[case]}: {100 * ratio - 100:+.1f} % against {SIZE_PEER}'s "
                f"(at most {100 * SIZE_MUST - 100:+.0f} %): {word}."
            )
    return found


def machine() -> str:
    """One sentence on the computer."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory / 2**30:.0f} GiB of "
        f"memory, Linux {platform.release()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _reservations(*, quick: bool, busy: float) -> str:
    """What takes away from the figures of a run."""
    said = " **A quick run on small data: the targets do not apply.**" if quick else ""
    if busy > QUIET:
        said += (
            f" **Other work used {100 * busy:.0f} % of the machine at the start, so wall "
            "times are too long and their ratios uncertain.**"
        )
    return said


def page(
    results: Results, peers: Sequence[Peer], *, repeat: int, quick: bool, busy: float = 0.0
) -> str:
    """The whole page for the documentation."""
    versions = ", ".join(peer.version() for peer in peers)
    small = _reservations(quick=quick, busy=busy)
    lines = "\n".join(f"- {line}" for line in bounds(results))
    return f"""# Benchmarks

Written by `make bench` on {time.strftime("%Y-%m-%d", time.gmtime())}.{small} {machine()}.
{versions}.

All programs ran in turn in one run, the order changing from round to round, on data and
repositories in memory (tmpfs), each after it had backed up and restored a few files once (so that
none of it is read from a disk or compiled when it is measured), and after free memory had been
touched (a host may have taken it back, and getting it again costs more than most programs do);
figures are medians of {repeat} round(s) (one for (f); in each, (d) was run {UNCHANGED} times, right
after one another).
`wall` and `CPU` are seconds, CPU of all processes together; `MB` is the highest sum of the
processes' proportional set sizes; `stored` the repository in MB after the first backup (for (g)
after the last). `ratio` is the program's wall time divided by nightsafe's in the same round, and of
those the median (a machine that is slower for some minutes is so for all); `by CPU` is the same of
CPU seconds, which other work on the machine disturbs less; `target` says whether the ratio of wall
times reaches what the agent must reach (`must`) or aims at (`goal`).
Every restore was compared byte by byte. restic is the newest that `make peers` fetched; Borg ran
with zstd level 3. Compare ratios, not seconds: they hold across machines.
(s) lists the snapshots of a vault of the service, with 25 ms of round trip to it, with empty caches
and again.

What the service does is measured on pages of its own: [uploads](transfers.md), through the gateway
and directly, and [copies, scrub and lag](benchmarks-replication.md).

{table(results, peers, judged=not quick)}

{lines}
"""
