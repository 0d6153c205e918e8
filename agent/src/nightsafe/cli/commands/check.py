"""`nightsafe check`: verify a repository."""

import argparse

from nightsafe.amounts import show_count, show_size
from nightsafe.cli.arguments import non_empty
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "check",
        run,
        help="check that everything the snapshots need is stored and sound",
        json='events as for backup, and at the end {"event": "summary", "snapshots", "trees", '
        '"packs", "unindexed_packs", "packs_read", "bytes_read", "errors": [texts], "sound"}',
    )
    parser.add_argument(
        "--read-data", action="store_true", help="also read and verify every stored byte"
    )
    parser.add_argument(
        "--read-data-subset",
        type=non_empty,
        metavar="PART",
        help="read and verify a part of it: n/t for part n of t (1/7 on Mondays, ...), a share "
        "(10%%) or a size (2G) drawn at random",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Check; returns 0 if no error was found, else 1."""
    from nightsafe.maintenance.check import check
    from nightsafe.maintenance.read_subset import Subset

    subset = Subset.parse(args.read_data_subset) if args.read_data_subset else None
    with opened_repository(args, output) as repository, output.observer("check") as observer:
        report = check(repository, read_data=args.read_data, subset=subset, observer=observer)
    reads = args.read_data or subset
    output.line(
        f"{show_count(report.snapshots, 'snapshot')}, {show_count(report.trees, 'tree')}, "
        f"{show_count(report.packs, 'pack')}"
        + (f", {report.packs_read} read ({show_size(report.bytes_read)})" if reads else "")
    )
    if report.unindexed:
        packs = show_count(report.unindexed, "pack")
        output.line(f"{packs} in no index: waste, no harm")
    if report.split:
        packs = show_count(report.split, "pack")
        output.line(f"{packs} listed in parts: no harm; `nightsafe prune` puts the parts together")
    errors = show_count(len(report.errors), "error")
    output.line(f"{errors} found" if report.errors else "no errors found")
    output.result(
        {
            "event": "summary",
            "snapshots": report.snapshots,
            "trees": report.trees,
            "packs": report.packs,
            "unindexed_packs": report.unindexed,
            "split_packs": report.split,
            "packs_read": report.packs_read,
            "bytes_read": report.bytes_read,
            "errors": report.errors,
            "sound": not report.errors,
        }
    )
    return 1 if report.errors else 0
