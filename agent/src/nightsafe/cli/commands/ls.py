"""`nightsafe ls`: list the contents of a snapshot."""

import argparse
import os
from typing import TYPE_CHECKING

from nightsafe.cli.arguments import non_empty
from nightsafe.cli.format import show_time
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output
from nightsafe.cli.snapshot_options import add_filter_options, find_filter, find_one

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsafe.repository.snapshot_groups import SnapshotFilter
    from nightsafe.repository.tree_walker import Found


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "ls",
        run,
        help="list what a snapshot holds",
        json='lines {"event": "entry", "path", "type", "size", "mode", "mtime", "atime", "ctime", '
        '"uid", "gid", "inode"}; "mode" is the permissions as a number; of what cannot be read, '
        "issues as for backup",
    )
    parser.add_argument(
        "snapshot",
        help="snapshot id, the beginning of one, or latest; with :FOLDER after it what is in that "
        "folder, without those above it",
    )
    parser.add_argument(
        "paths",
        type=non_empty,
        nargs="*",
        metavar="PATH",
        help="only these paths and what is below them",
    )
    parser.add_argument("-l", "--long", action="store_true", help="also mode, size and time")
    parser.add_argument(
        "--recursive",
        action="store_true",
        help="also what is deeper below the paths, which is always listed here: the option is "
        "taken for the sake of commands written for restic",
    )
    latest = parser.add_argument_group("which snapshot is the latest")
    add_filter_options(latest, host_letter=True)


def run(args: argparse.Namespace, output: Output) -> int:
    """List paths in stored order; returns 3 if some could not be read."""
    from nightsafe.errors import DamagedError
    from nightsafe.progress import Issue, show_path
    from nightsafe.repository.blob_reader import BlobReader
    from nightsafe.repository.tree_walker import PathSelection, find_folder, require_found, walk

    selection = PathSelection(map(os.fsencode, args.paths))
    name, _, folder = args.snapshot.partition(":")
    with opened_repository(args, output) as repository, output.buffered():
        snapshot = find_one(repository, name, output, _filter(args))
        repository.load_index()
        reader, count, damaged = BlobReader(repository), 0, 0

        def report_damage(path: bytes, error: DamagedError) -> None:
            nonlocal damaged
            damaged += 1
            issue = Issue("failed", path or b"/", str(error))
            output.note(str(issue))
            output.result(
                {"event": "issue", "kind": issue.kind, "path": show_path(path), "text": issue.text}
            )

        show = _entry_printer(output, is_long=args.long)
        advice = "For a single file give its path after the snapshot, behind a blank."
        tree = find_folder(reader, snapshot.tree, os.fsencode(folder), advice=advice)
        for found in walk(reader, tree, selection, on_damage=report_damage):
            show(found)
            count += 1
        require_found(count + damaged, selection)
    if damaged:
        output.note("nightsafe: INCOMPLETE: some of the snapshot cannot be read.")
    return 3 if damaged else 0


def _filter(args: argparse.Namespace) -> "SnapshotFilter":
    """Return the snapshot filter given by options; paths may be relative."""
    from dataclasses import replace

    snapshot_filter = find_filter(args)
    return replace(snapshot_filter, paths=tuple(map(os.path.abspath, snapshot_filter.paths)))


def _entry_printer(output: Output, *, is_long: bool) -> "Callable[[Found], None]":
    """Return the function that prints an entry; imports are done here, once for millions."""
    from nightsafe.progress import show_path
    from nightsafe.repofile.go_json import format_time
    from nightsafe.repofile.tree import posix_permissions

    def as_json(found: "Found") -> None:
        node = found.node
        output.result(
            {
                "event": "entry",
                "path": show_path(found.path),
                "type": node.type,
                "size": node.size,
                "mode": posix_permissions(node.mode),
                "mtime": format_time(node.mtime),
                "atime": format_time(node.atime),
                "ctime": format_time(node.ctime),
                "uid": node.uid,
                "gid": node.gid,
                "inode": node.inode,
            }
        )

    def as_long_line(found: "Found") -> None:
        node = found.node
        mode = posix_permissions(node.mode)
        detail = f"{node.type:8} {mode:4o} {node.size:>14} {show_time(node.mtime)}"
        output.line(f"{detail}  {show_path(found.path)}")

    if output.as_json:
        return as_json
    return as_long_line if is_long else lambda found: output.line(show_path(found.path))
