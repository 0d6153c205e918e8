"""`nightsafe prune`: remove what no snapshot needs."""

import argparse
from typing import TYPE_CHECKING

from nightsafe.amounts import show_count, show_size
from nightsafe.cli.arguments import non_empty
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from nightsafe.maintenance.prune import PruneOptions, PruneReport
    from nightsafe.repository.repository import Repository


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "prune",
        run,
        help="remove data that no snapshot needs; nothing that a snapshot needs is touched, and "
        "it may be interrupted at any moment and run again",
        json='events as for backup, and at the end {"event": "summary", "dry_run", "packs_kept", '
        '"packs_repacked", "packs_removed", "packs_unindexed", "used_bytes", "freed_bytes", '
        '"left_unused_bytes", "written_bytes"}',
    )
    add_prune_options(parser)
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="tell what would be done, and do nothing"
    )
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="go on where no snapshot is left, and remove all data",
    )


def add_prune_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `forget --prune` shares."""
    parser.add_argument(
        "--max-unused",
        default="5%",
        metavar="LIMIT",
        help="how much unused data may stay where removing it costs work: a size (500M), a "
        "share of everything (5%%, the default), or unlimited",
    )
    parser.add_argument(
        "--max-repack-size",
        type=non_empty,
        metavar="SIZE",
        help="the most that is written anew in one run (such as 2G)",
    )


def prune_options(args: argparse.Namespace) -> "PruneOptions":
    """Convert the options; UsageError if they are invalid."""
    from nightsafe.amounts import parse_size
    from nightsafe.maintenance.prune import PruneOptions
    from nightsafe.maintenance.prune_plan import parse_limit

    most = parse_size(args.max_repack_size) if args.max_repack_size else float("inf")
    return PruneOptions(parse_limit(args.max_unused), most, args.dry_run, args.allow_empty)


def run(args: argparse.Namespace, output: Output) -> int:
    """Prune; returns 0."""
    options = prune_options(args)
    with opened_repository(args, output) as repository:
        prune_and_show(repository, options, output)
    return 0


def prune_and_show(repository: "Repository", options: "PruneOptions", output: Output) -> None:
    """Prune and print the report."""
    from nightsafe.maintenance.prune import prune

    with output.observer("prune") as observer:
        report = prune(repository, options, observer)
    _show(report, output, is_trial=options.dry_run)


def _show(report: "PruneReport", output: Output, *, is_trial: bool) -> None:
    would = "would be " if is_trial else ""
    removed = show_count(report.removed + report.unindexed, "pack")
    output.line(
        f"{removed} {would}removed, {report.repacked} {would}written anew, {report.kept} kept"
    )
    output.line(
        f"{show_size(report.freed_bytes)} {would}freed; {show_size(report.used_bytes)} in use, "
        f"{show_size(report.left_unused)} unused {'would stay' if is_trial else 'left'}"
    )
    output.result(
        {
            "event": "summary",
            "dry_run": is_trial,
            "packs_kept": report.kept,
            "packs_repacked": report.repacked,
            "packs_removed": report.removed,
            "packs_unindexed": report.unindexed,
            "used_bytes": report.used_bytes,
            "freed_bytes": report.freed_bytes,
            "left_unused_bytes": report.left_unused,
            "written_bytes": report.written_bytes,
        }
    )
