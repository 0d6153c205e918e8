"""`nightsafe backup`: store paths in a new snapshot."""

import argparse
import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nightsafe.amounts import show_count, show_size
from nightsafe.cli.arguments import whole_number
from nightsafe.cli.exclude_options import add_exclude_options, find_rules, find_sources, show_rules
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from nightsafe.archiver.backup import BackupOptions, BackupReport
    from nightsafe.filters.exclude import Excluder, ExcludeRules
    from nightsafe.progress import Issue, Observer
    from nightsafe.repository.repository import Repository
    from nightsafe.scanner.prefetch import Prefetch


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "backup",
        run,
        help="back up files and folders into a new snapshot",
        json='lines of events: {"event": "issue", "kind", "path", "text"}, {"event": "progress", '
        '"bytes", "files", "bytes_sent", "bytes_per_second", "total_files", "total_bytes", '
        '"seconds_left"} about once a second (the last three once they are known), with --verbose '
        'or --dry-run {"event": "file", "state", "path", "bytes"} for each new or changed file, '
        'and at the end {"event": "summary", '
        '"snapshot_id", "tree_id", "parent_id", "files_new", "files_changed", '
        '"files_unchanged", "directories", "bytes", "added_blobs", "added_bytes", '
        '"stored_bytes", "seconds", "issues", "complete"}',
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file or folder to back up")
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="TAGS",
        help="words for this snapshot, separated by commas; may be repeated",
    )
    parser.add_argument(
        "-H", "--host", default="", help="host name to note instead of this computer's"
    )
    parser.add_argument(
        "-n",
        "--dry-run",
        action="store_true",
        help="read everything, name each file that would be sent, and store nothing",
    )
    parser.add_argument(
        "-f",
        "--force",
        action="store_true",
        help="read every file, whatever the last snapshot says of it; what is stored is not sent "
        "again",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="name each file that is new or changed"
    )
    parser.add_argument(
        "--workers",
        type=whole_number(0, 64),
        metavar="N",
        help="worker processes: 0 for none (default: one for each core, at most 8)",
    )
    parser.add_argument(
        "--chunker",
        choices=("gear", "restic"),
        default="",
        help="where new and changed files are cut: gear, by a secret of this vault (the default), "
        "or restic, where stock restic cuts, so that data is shared with snapshots that restic "
        "wrote. That hides less: the cuts follow from one polynomial, which files that others "
        "know can give away, and with it the lengths of what is stored tell which known files "
        "are there. It is also slower, much so without the extension rabin. Use one of "
        "them throughout: what was cut the other way is stored again once its file changes",
    )
    add_exclude_options(parser)


def run(args: argparse.Namespace, output: Output) -> int:
    """Back up; returns 0 if complete, 3 if some files could not be read."""
    from nightsafe.filters.exclude import Excluder

    paths, unmatched = find_sources(args, output)
    rules = find_rules(args, paths)
    if args.show_excludes:
        show_rules(rules, output)
        return 0
    entry_filter = Excluder(rules, paths)
    names_files = args.verbose or args.dry_run
    prefetch: Prefetch | None = None

    def meanwhile(stop: threading.Event) -> None:
        nonlocal prefetch
        import nightsafe.archiver.backup  # noqa: F401  # which takes a while, as the key does
        from nightsafe.scanner.prefetch import Prefetch
        from nightsafe.scanner.sources import leaves, plan_sources

        prefetch = Prefetch()
        prefetch.fetch(leaves(plan_sources(paths, entry_filter=entry_filter)), entry_filter, stop)

    with (
        opened_repository(args, output, meanwhile=meanwhile) as repository,
        output.observer("backup", names_files=names_files) as observer,
    ):
        if output.progress and sys.stderr.isatty():
            _forecast(paths, entry_filter, observer)
        from nightsafe.archiver.backup import backup

        options = _options(args, entry_filter, rules, prefetch, unmatched)
        with _failure_told(repository, args):
            report = backup(repository, paths, options, observer)
    _show(report, output)
    return 0 if report.is_complete else 3


@contextlib.contextmanager
def _failure_told(repository: "Repository", args: argparse.Namespace) -> Iterator[None]:
    """Tell the service if what is done in the block fails."""
    try:
        yield
    except BaseException as error:
        if not args.dry_run:
            from nightsafe.archiver.failure import report_failure

            report_failure(repository.storage, error)
        raise


def _options(
    args: argparse.Namespace,
    entry_filter: "Excluder",
    rules: "ExcludeRules",
    prefetch: "Prefetch | None",
    unmatched: "tuple[Issue, ...]",
) -> "BackupOptions":
    from nightsafe.archiver.backup import BackupOptions
    from nightsafe.fs.files import as_text

    return BackupOptions(
        tuple(map(as_text, args.tag)),
        as_text(args.host),
        args.dry_run,
        workers=args.workers,
        wants=entry_filter,
        excludes=(*rules.patterns, *rules.caseless),
        chunker=args.chunker,
        ahead=prefetch,
        force=args.force,
        issues=unmatched,
    )


def _forecast(paths: list[bytes], entry_filter: "Excluder", observer: "Observer") -> None:
    """Count files in the background, so that the progress bar can estimate the time left."""
    from nightsafe.progress import Totals
    from nightsafe.scanner.sources import count_sources, leaves, plan_sources

    def count() -> None:
        with contextlib.suppress(OSError):  # the backup itself meets and reports it again
            observer(
                Totals(
                    *count_sources(
                        leaves(plan_sources(paths, entry_filter=entry_filter)), entry_filter
                    )
                )
            )

    threading.Thread(target=count, name="forecast", daemon=True).start()


def _show(report: "BackupReport", output: Output) -> None:
    count = report.count
    output.line(
        f"{count.new} new, {count.changed} changed, {count.unchanged} unchanged files, "
        f"{show_size(count.bytes)} in {report.seconds:.1f} s"
    )
    added = "added" if report.snapshot_id else "would add"
    output.line(
        f"{added} {show_size(count.added_bytes)}, stored as {show_size(count.stored_bytes)}"
    )
    if report.unread:
        output.line(f"INCOMPLETE: {show_count(report.unread, 'path')} could not be read")
    if report.snapshot_id:
        output.line(f"snapshot {report.snapshot_id[:8]} saved")
    output.result(
        {
            "event": "summary",
            "snapshot_id": report.snapshot_id,
            "tree_id": report.tree_id,
            "parent_id": report.parent_id,
            "files_new": count.new,
            "files_changed": count.changed,
            "files_unchanged": count.unchanged,
            "directories": count.directories,
            "bytes": count.bytes,
            "added_blobs": count.added_blobs,
            "added_bytes": count.added_bytes,
            "stored_bytes": count.stored_bytes,
            "seconds": round(report.seconds, 3),
            "issues": len(report.issues),
            "complete": report.is_complete,
        }
    )
