"""`nightsafe restore`: write a snapshot's files into a folder."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from nightsafe.amounts import show_count, show_size
from nightsafe.cli.arguments import non_empty, whole_number
from nightsafe.cli.confirm import confirm
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output
from nightsafe.cli.snapshot_options import find_one

if TYPE_CHECKING:
    import threading

    from nightsafe.progress import Observer
    from nightsafe.repofile.snapshot import Snapshot
    from nightsafe.repository.repository import Repository
    from nightsafe.repository.tree_walker import Selection
    from nightsafe.restorer.options import RestoreReport


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "restore",
        run,
        help="restore a snapshot, or a part of it, into a folder; what is in the way there is "
        "replaced, but links where folders shall be, and folders that are not empty, stay and are "
        "named; all else is left alone",
        json='lines of events as for backup, and at the end {"event": "summary", "snapshot_id", '
        '"target", "files", "directories", "others", "skipped", "deleted", "verified", "bytes", '
        '"seconds", "issues", "dry_run", "complete"}',
    )
    parser.add_argument(
        "snapshot",
        help="snapshot id, the beginning of one, or latest; with :FOLDER after it that folder "
        "alone, without those above it",
    )
    parser.add_argument(
        "-t",
        "--target",
        type=non_empty,
        required=True,
        metavar="FOLDER",
        help="where to restore to",
    )
    _add_patterns(parser.add_argument_group("what to restore (patterns as for backup)"))
    parser.add_argument(
        "--overwrite",
        choices=("always", "if-changed", "if-newer", "never"),
        default="always",
        help="when to replace what stands in the target: always (the default), if its size or "
        "time differs, if the snapshot's is newer, or never",
    )
    parser.add_argument(
        "--delete",
        action="store_true",
        help="remove from the restored folders what the snapshot does not hold, where it is known "
        "to hold all that was there, and folders that are in the way of files; needs --yes",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before deleting")
    parser.add_argument(
        "--verify", action="store_true", help="read back and compare everything at the end"
    )
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="tell what would be done, and do nothing"
    )
    parser.add_argument(
        "--workers",
        type=whole_number(0, 64),
        metavar="N",
        help="worker processes: 0 for none (default: one for each core, at most 8)",
    )


def _add_patterns(group: "argparse._ArgumentGroup") -> None:
    for names, text in (
        ("-i --include", "only what fits"),
        ("--iinclude", "the same, in whatever case"),
        ("-e --exclude", "not what fits"),
        ("--iexclude", "the same, in whatever case"),
    ):
        group.add_argument(
            *names.split(),
            action="append",
            default=[],
            metavar="PATTERN",
            help=f"{text}, such as /home/me/photos or *.jpg; may be repeated",
        )


def run(args: argparse.Namespace, output: Output) -> int:
    """Restore; returns 0 if complete, 3 if some entries could not be restored."""
    from nightsafe.fs.files import as_text
    from nightsafe.repository.tree_walker import PatternSelection

    target = os.fsencode(args.target)
    name, _, folder = args.snapshot.partition(":")
    selection = PatternSelection(
        map(as_text, args.include),
        map(as_text, args.exclude),
        include_any_case=map(as_text, args.iinclude),
        exclude_any_case=map(as_text, args.iexclude),
    )
    question = f"Remove from {args.target} what the snapshot does not hold?"
    if args.delete and not args.dry_run and not confirm(question, yes=args.yes, output=output):
        return 1
    with (
        opened_repository(args, output, meanwhile=_load) as repository,
        output.observer("restore") as observer,
    ):
        from nightsafe.restorer.options import RestoreOptions
        from nightsafe.restorer.restore import restore

        options = RestoreOptions(
            overwrite=args.overwrite,
            delete=args.delete,
            verify=args.verify,
            dry_run=args.dry_run,
            folder=os.fsencode(folder),
            workers=args.workers,
        )
        snapshot = find_one(repository, name, output)
        if output.progress and sys.stderr.isatty():
            _forecast(repository, snapshot, options.folder, selection, observer)
        report = restore(
            repository, snapshot, target, selection=selection, options=options, observer=observer
        )
    _show(report, snapshot, args, output)
    return 0 if report.is_complete else 3


def _load(_: "threading.Event") -> None:
    import nightsafe.restorer.restore  # noqa: F401  # which takes a while, as the key does


def _forecast(
    repository: "Repository",
    snapshot: "Snapshot",
    folder: bytes,
    selection: "Selection",
    observer: "Observer",
) -> None:
    """Walk the trees beforehand, so that the progress bar can estimate the time left."""
    from nightsafe.progress import Totals
    from nightsafe.repository.blob_reader import BlobReader
    from nightsafe.repository.tree_walker import find_folder, walk

    repository.load_index()
    reader = BlobReader(repository)
    tree = find_folder(reader, snapshot.tree, folder)
    files = size = 0
    for found in walk(reader, tree, selection, on_damage=lambda path, error: None):
        files, size = files + (found.node.type == "file"), size + found.node.size
    observer(Totals(files, size))


def _show(
    report: "RestoreReport", snapshot: "Snapshot", args: argparse.Namespace, output: Output
) -> None:
    failed = sum(issue.is_failure for issue in report.issues)
    output.line(
        f"{'would restore' if args.dry_run else 'restored'} {show_count(report.files, 'file')}, "
        f"{show_count(report.directories, 'folder')}, {show_count(report.others, 'other')}, "
        f"{show_size(report.bytes)} in {report.seconds:.1f} s to {args.target}"
    )
    for count, text in (
        (report.skipped, f"{'would be ' if args.dry_run else ''}left unchanged"),
        (report.deleted, f"{'would be ' if args.dry_run else ''}deleted"),
        (report.verified, "read back and right"),
    ):
        if count:
            output.line(f"{show_count(count, 'entry', 'entries')} {text}")
    if failed:
        output.line(f"INCOMPLETE: {show_count(failed, 'entry', 'entries')} could not be restored")
    output.result(
        {
            "event": "summary",
            "snapshot_id": snapshot.id,
            "target": args.target,
            "files": report.files,
            "directories": report.directories,
            "others": report.others,
            "skipped": report.skipped,
            "deleted": report.deleted,
            "verified": report.verified,
            "dry_run": args.dry_run,
            "bytes": report.bytes,
            "seconds": round(report.seconds, 3),
            "issues": len(report.issues),
            "complete": report.is_complete,
        }
    )
