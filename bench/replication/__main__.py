"""`python -m bench.replication`: copying and scrubbing beside rclone, on two real stores.

Two SeaweedFS stores on this computer, fsyncing, with a service of our own in front. The same
objects are copied from the first to the second store by our workers and by `rclone copy`, in
alternating order; then the second store is read by `scrub` and by plain GETs. The lag of replicas
is measured on a whole service under a steady, light load.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import busy_share
from bench.replication import report as report
from bench.replication.lag import measure_lag
from bench.replication.peers import plain_read, rclone_copy
from bench.replication.stores import Stores

GIB = 1 << 30
OBJECT = 16 << 20  # bytes, as packs have
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks-replication.md"


def main() -> int:
    """Measure what the options ask for."""
    args = _parser().parse_args()
    figures = report.Figures(gib=args.gib, workers=args.workers, busy=busy_share())
    with tempfile.TemporaryDirectory(prefix="nightsafe-bench-", dir=args.dir) as folder:
        place = Path(folder)
        if "copy" in args.parts:
            with Stores(place / "stores") as stores:
                _measure_copies(stores, args, figures)
        if "lag" in args.parts:
            figures.lags = measure_lag(place / "service", seconds=args.seconds)
    print("\n".join(report.table(figures)))
    if args.write:
        PAGE.write_text(report.page(figures))
        print(f"written to {PAGE}")
    return 0


def _measure_copies(stores: Stores, args: argparse.Namespace, figures: report.Figures) -> None:
    count = round(args.gib * GIB / OBJECT)
    print(f"storing {count} objects of {OBJECT >> 20} MiB", flush=True)
    stores.fill(count, OBJECT)
    for number in range(args.rounds):
        turns: list[tuple[list[float], Callable[[], object]]] = [
            (figures.ours, lambda: stores.replicate(args.workers)),
            (figures.rclone, lambda: rclone_copy(stores, transfers=args.transfers)),
        ]
        for seconds, work in turns if number % 2 == 0 else turns[::-1]:
            seconds.append(_timed(work))
        if number < args.rounds - 1:
            stores.undo_replication()
        stores.drop_rclone()
        print(
            f"copied: ours {figures.ours[-1]:.1f} s, rclone {figures.rclone[-1]:.1f} s", flush=True
        )
    plain_read(stores, args.workers)  # so that memory holds what it can
    _measure_scrubs(stores, args, figures.scrubs, figures.reads, "from memory")
    if forget_what_was_read():
        _measure_scrubs(
            stores,
            args,
            figures.cold_scrubs,
            figures.cold_reads,
            "from the disk",
            first=forget_what_was_read,
        )


def _measure_scrubs(
    stores: Stores,
    args: argparse.Namespace,
    scrubs: list[float],
    reads: list[float],
    where: str,
    *,
    first: Callable[[], object] = lambda: None,
) -> None:
    for number in range(args.scrubs):
        turns: list[tuple[list[float], Callable[[], float]]] = [
            (scrubs, lambda: stores.scrub(first)),
            (reads, lambda: plain_read(stores, args.workers, first)),
        ]
        for seconds, work in turns if number % 2 == 0 else turns[::-1]:
            seconds.append(work())
        print(f"read {where}: scrub {scrubs[-1]:.1f} s, plain {reads[-1]:.1f} s", flush=True)


def forget_what_was_read() -> bool:
    """Empty the system's memory of files, so that they come from the disk; False if we may not."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def _timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    said = work()
    # A worker process tells how long it worked, without the time in which Python starts.
    return said if isinstance(said, float) else time.monotonic() - begun


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.replication", description=__doc__)
    parser.add_argument("--gib", type=float, default=10.0, help="how much is copied (10)")
    parser.add_argument("--rounds", type=int, default=3, help="in alternating order (3)")
    parser.add_argument("--scrubs", type=int, default=5, help="rounds of scrub and reading (5)")
    parser.add_argument("--workers", type=int, default=2, help="processes that copy or GET (2)")
    parser.add_argument("--transfers", type=int, default=8, help="rclone's, at once (8)")
    parser.add_argument("--seconds", type=int, default=60, help="of steady load for the lag (60)")
    parser.add_argument("--dir", default=os.environ.get("BENCH_DIR"), help="scratch folder")
    parser.add_argument("--parts", default="copy,lag", type=lambda text: text.split(","))
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
