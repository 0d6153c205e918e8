"""`nightsafe snapshots`: list what was backed up when."""

import argparse
from typing import TYPE_CHECKING

from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output, show_time

if TYPE_CHECKING:
    from nightsafe.snapshot import Snapshot


def add_parser(verbs: Verbs) -> None:
    """Describe the verb."""
    add_verb(
        verbs,
        "snapshots",
        run,
        help="list the snapshots",
        json='one object {"snapshots": [{"id", "time", "tree_id", "hostname", "username", '
        '"paths", "tags", "parent_id"}], "damaged": [ids]}, oldest first',
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """List all; 1 when one of them is damaged."""
    with opened_repository(args, output) as repository:
        snapshots = repository.load_snapshots()
    for snapshot in snapshots.sound:
        tags = f" [{', '.join(snapshot.tags)}]" if snapshot.tags else ""
        where = f"{snapshot.hostname}:{' '.join(snapshot.paths)}{tags}"
        output.line(_printable(f"{snapshot.short_id}  {show_time(snapshot.time)}  {where}"))
    if not snapshots.sound:
        output.line("There is no snapshot yet.")
    for name in snapshots.damaged:
        output.note(f"Snapshot {name[:8]} is damaged; run `nightsafe check`.")
    output.result({"snapshots": list(map(_fields, snapshots.sound)), "damaged": snapshots.damaged})
    return 1 if snapshots.damaged else 0


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _fields(snapshot: "Snapshot") -> dict[str, object]:
    return {
        "id": snapshot.id,
        "time": snapshot.stamp,
        "tree_id": snapshot.tree.hex(),
        "hostname": snapshot.hostname,
        "username": snapshot.username,
        "paths": list(snapshot.paths),
        "tags": list(snapshot.tags),
        "parent_id": snapshot.parent,
    }
