"""`nightsafe drill`: prove that files come back, by restoring some and comparing them."""

import argparse
import os
from typing import TYPE_CHECKING

from nightsafe.amounts import show_count, show_size
from nightsafe.cli.arguments import non_empty, whole_number
from nightsafe.cli.exclude_options import size_argument
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output
from nightsafe.cli.snapshot_options import find_one

if TYPE_CHECKING:
    from nightsafe.assurance.drill import DrillReport


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "drill",
        run,
        help="restore some files, drawn at random, and compare them with those on the disk",
        json='one object {"snapshot_id", "of_files", "files", "bytes", "equal", "changed", "gone", '
        '"failed": [{"path", "text"}], "passed", "seconds"}: "files" came back whole, "equal" of '
        'them are so on the disk, "changed" and "gone" are not there any more as they were',
    )
    parser.add_argument(
        "snapshot", nargs="?", default="latest", metavar="SNAPSHOT", help="an id (default: latest)"
    )
    parser.add_argument(
        "--files",
        type=whole_number(1, 100_000),
        default=20,
        metavar="N",
        help="how many files (default 20)",
    )
    parser.add_argument(
        "--size",
        type=size_argument,
        default=200_000_000,
        metavar="SIZE",
        help="how large they may be together, such as 500M (default 200 MB); one is always taken",
    )
    parser.add_argument(
        "--scratch",
        type=non_empty,
        metavar="FOLDER",
        help="where they are restored, and removed again (default: the folder of caches)",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Try a restore; returns 0 if everything came back, 3 if something did not."""
    from nightsafe.assurance.drill import DrillOptions, drill
    from nightsafe.assurance.record import save_record
    from nightsafe.jobs import clock
    from nightsafe.progress import show_path
    from nightsafe.settings.login import cache_dir

    at = clock.now()
    options = DrillOptions(
        args.files, args.size, args.scratch or os.path.join(cache_dir(), "drill")
    )
    with opened_repository(args, output) as repository:
        report = drill(repository, find_one(repository, args.snapshot, output), options)
    save_record(report, at)
    for issue in report.issues:
        output.note(str(issue))
    _show(report, output)
    output.result(
        {
            "snapshot_id": report.snapshot_id,
            "of_files": report.of_files,
            "files": report.files,
            "bytes": report.bytes,
            "equal": report.equal,
            "changed": report.changed,
            "gone": report.gone,
            "failed": [
                {"path": show_path(issue.path), "text": issue.text} for issue in report.issues
            ],
            "passed": report.has_passed,
            "seconds": round(report.seconds, 3),
        }
    )
    return 0 if report.has_passed else 3


def _show(report: "DrillReport", output: Output) -> None:
    output.line(
        f"{show_count(report.files, 'file')} of {report.of_files}, {show_size(report.bytes)}, came "
        f"back whole from snapshot {report.snapshot_id[:8]} in {report.seconds:.1f} s."
    )
    since = [
        f"{count} {word}"
        for count, word in (
            (report.equal, "are so on the disk"),
            (report.changed, "were changed there since"),
            (report.gone, "are not there any more"),
        )
        if count
    ]
    if since:
        output.line(f"Of these {', '.join(since)}.")
    if report.has_passed:
        output.line("The drill has passed.")
    else:
        output.line(f"The drill has FAILED: {show_count(len(report.issues), 'path')}, named above.")
