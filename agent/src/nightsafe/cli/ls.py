"""`nightsafe ls`: list what a snapshot holds."""

import argparse
import os

from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output, show_time


def add_parser(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "ls",
        run,
        help="list what a snapshot holds",
        json='lines {"event": "entry", "path", "type", "size", "mode", "mtime"}; "mode" is the '
        "permissions as a number",
    )
    parser.add_argument("snapshot", help="snapshot id, the beginning of one, or latest")
    parser.add_argument("path", nargs="?", help="only this path and what is below it")
    parser.add_argument("-l", "--long", action="store_true", help="also mode, size and time")


def run(args: argparse.Namespace, output: Output) -> int:
    """List paths in stored order."""
    from nightsafe.fetch import BlobReader
    from nightsafe.gojson import format_time
    from nightsafe.progress import show_path
    from nightsafe.snapshot import find_snapshot
    from nightsafe.tree import Node, posix_permissions
    from nightsafe.walk import Selection, require_found, walk

    def show(path: bytes, node: Node) -> None:
        shown, mode = show_path(path), posix_permissions(node.mode)
        detail = f"{node.type:8} {mode:4o} {node.size:>14} {show_time(node.mtime)}  "
        output.line((detail if args.long else "") + shown)
        fields = {"event": "entry", "path": shown, "type": node.type, "size": node.size}
        output.result(fields | {"mode": mode, "mtime": format_time(node.mtime)})

    selection = Selection([os.fsencode(args.path)] if args.path else [])
    with opened_repository(args, output) as repository:
        snapshot = find_snapshot(repository.load_snapshots().sound, args.snapshot)
        repository.load_index()
        count = 0
        for found in walk(BlobReader(repository), snapshot.tree, selection):
            show(found.path, found.node)
            count += 1
        require_found(count, selection)
    return 0
