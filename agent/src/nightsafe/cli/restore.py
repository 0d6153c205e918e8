"""`nightsafe restore`: write a snapshot's files into a folder."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output, show_size

if TYPE_CHECKING:
    from nightsafe.progress import Observer
    from nightsafe.repository import Repository
    from nightsafe.restore import RestoreReport
    from nightsafe.snapshot import Snapshot


def add_parser(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "restore",
        run,
        help="restore a snapshot, or a part of it, into a folder; files that are in the way "
        "there are replaced, others are left alone",
        json='lines of events as for backup, and at the end {"event": "summary", "snapshot_id", '
        '"target", "files", "directories", "others", "bytes", "seconds", "issues", "complete"}',
    )
    parser.add_argument("snapshot", help="snapshot id, the beginning of one, or latest")
    parser.add_argument("--target", required=True, metavar="FOLDER", help="where to restore to")
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="PATH",
        help="only this path of the snapshot and what is below it; may be repeated",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Restore; 0 when complete, 3 when some entries could not be restored."""
    from nightsafe.restore import restore
    from nightsafe.snapshot import find_snapshot

    target = os.fsencode(args.target)
    include = [os.fsencode(path) for path in args.include]
    with opened_repository(args) as repository, output.observer("restore") as observer:
        snapshot = find_snapshot(repository.load_snapshots().sound, args.snapshot)
        if output.progress and sys.stderr.isatty():
            _forecast(repository, snapshot, include, observer)
        report = restore(repository, snapshot, target, include=include, observer=observer)
    _show(report, snapshot, args.target, output)
    return 0 if report.is_complete else 3


def _forecast(
    repository: "Repository", snapshot: "Snapshot", include: list[bytes], observer: "Observer"
) -> None:
    """Walk the trees once before, so that the bar can say how long it will take."""
    from nightsafe.fetch import BlobReader
    from nightsafe.progress import Totals
    from nightsafe.walk import Selection, walk

    repository.load_index()
    reader, selection = BlobReader(repository), Selection(include)
    files = size = 0
    for found in walk(reader, snapshot.tree, selection, on_damage=lambda path, error: None):
        files, size = files + (found.node.type == "file"), size + found.node.size
    observer(Totals(files, size))


def _show(report: "RestoreReport", snapshot: "Snapshot", target: str, output: Output) -> None:
    failed = sum(issue.is_failure for issue in report.issues)
    output.line(
        f"restored {report.files} files, {report.directories} folders, {report.others} others, "
        f"{show_size(report.bytes)} in {report.seconds:.1f} s to {target}"
    )
    if failed:
        output.line(f"INCOMPLETE: {failed} entries could not be restored")
    output.result(
        {
            "event": "summary",
            "snapshot_id": snapshot.id,
            "target": target,
            "files": report.files,
            "directories": report.directories,
            "others": report.others,
            "bytes": report.bytes,
            "seconds": round(report.seconds, 3),
            "issues": len(report.issues),
            "complete": report.is_complete,
        }
    )
