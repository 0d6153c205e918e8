"""The figures of a run, as lines and as a page for the documentation."""

import os
import platform
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

COPY_MUST, SCRUB_MUST = 0.70, 0.80
LAG_GOALS = (1.0, 5.0)  # seconds at the median and the 99th percentile
QUIET = 0.1


@dataclass
class Figures:
    """Seconds of every round, and the lag of every upload."""

    gib: float
    workers: int
    busy: float
    ours: list[float] = field(default_factory=list)
    rclone: list[float] = field(default_factory=list)
    scrubs: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    cold_scrubs: list[float] = field(default_factory=list)
    cold_reads: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)


def table(figures: Figures) -> Iterator[str]:
    """Return the lines of a table in Markdown."""
    yield "| what | Nightsafe | beside it | ratio | must |"
    yield "|---|---|---|---|---|"
    if figures.ours:
        yield _row(
            figures, "copying, read back", figures.ours, figures.rclone, "rclone copy", COPY_MUST
        )
        scrubs: list[tuple[str, list[float], list[float], float | None]] = [
            ("scrub", figures.cold_scrubs, figures.cold_reads, SCRUB_MUST),
            ("scrub of what is in memory", figures.scrubs, figures.reads, None),
        ]
        for what, ours, theirs, must in scrubs:
            if ours:
                yield _row(figures, what, ours, theirs, "plain GETs", must)
    if figures.lags:
        ranked = sorted(figures.lags)
        median = statistics.median(ranked)
        late = ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))]
        is_reached = median <= LAG_GOALS[0] and late <= LAG_GOALS[1]
        yield (
            f"| lag of a copy, {len(ranked)} uploads | {median:.2f} s median, {late:.2f} s at 99 % "
            f"| | | goal 1 s, 5 s: {'reached' if is_reached else '**not reached**'} |"
        )


def _row(
    figures: Figures,
    what: str,
    ours: list[float],
    theirs: list[float],
    peer: str,
    must: float | None,
) -> str:
    mine, other = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    rating = ""
    if must is not None:
        rating = f"{must:.0%}: {'reached' if ratio >= must else '**not reached**'}"
    speed = figures.gib * 1024
    return (
        f"| {what} | {mine:.1f} s, {speed / mine:.0f} MiB/s | {peer}: {other:.1f} s, "
        f"{speed / other:.0f} MiB/s | {ratio:.0%} | {rating} |"
    )


def _rounds(seconds: list[float]) -> str:
    return "1 round" if len(seconds) == 1 else f"{len(seconds)} rounds"


def page(figures: Figures) -> str:
    """Return the page."""
    busy = (
        f"While it was measured, other programs used {figures.busy:.0%} of the processors, so the "
        "ratios count, not the seconds."
        if figures.busy > QUIET
        else "Nothing else ran."
    )
    lines = "\n".join(table(figures))
    return f"""# Copies and scrub, measured

`python -m bench.replication --write` starts two real SeaweedFS stores on this computer, which fsync
everything, and stores {figures.gib:g} GiB in objects of 16 MiB in the first. Our {figures.workers}
worker processes and `rclone copy` (8 at once) then copy the same objects to the second, in
alternating order. We hash every object on its way and read it back from its new place, whole,
before it counts; rclone asks the store for a checksum.

The scrub, one process of ours, is measured against plain GETs of the same objects, twelve at once
in {figures.workers} processes, that drop what they read. The must is about what is read from the
disk, since a scrub reads what nobody read for weeks: before each turn the system was made to forget
it. Out of memory a store gives its bytes for so little that the price of the hash itself is seen.

The lag is that of uploads of 1 MiB, two a second, to a whole service with stores of its own: from
the commit to the second copy that was read back.

Copies were measured in {_rounds(figures.ours)}, scrubs in {_rounds(figures.scrubs)}. Seconds are
medians, and so are the ratios, of those of each round, since no computer is equally fast all the
time.

{lines}

Measured on {time.strftime("%-d %B %Y", time.gmtime())}: {os.cpu_count()} processors,
{platform.system()} {platform.release()}, Python {platform.python_version()}. {busy}
"""
