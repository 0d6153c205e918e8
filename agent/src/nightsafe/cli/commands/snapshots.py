"""`nightsafe snapshots`: list snapshots."""

import argparse
import json
from typing import TYPE_CHECKING

from nightsafe.amounts import show_size
from nightsafe.cli.arguments import whole_number
from nightsafe.cli.format import printable, show_time
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output
from nightsafe.cli.snapshot_options import add_filter_options, find_filter

if TYPE_CHECKING:
    from nightsafe.repofile.snapshot import Snapshot
    from nightsafe.repository.repository import Snapshots
    from nightsafe.repository.snapshot_groups import Group


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "snapshots",
        run,
        help="list the snapshots",
        json='one object {"snapshots": [{"id", "time", "tree_id", "hostname", "username", '
        '"paths", "tags", "excludes", "parent_id", "original_id", "program_version", "summary"}], '
        '"damaged": [ids]}, oldest first; "summary" is what stock restic tells of the backup, or '
        'null; with --group-by also "groups": [{"host", "paths", "tags", "snapshots": [ids]}]',
    )
    parser.add_argument("snapshots", nargs="*", metavar="SNAPSHOT", help="ids, or latest")
    add_filter_options(parser.add_argument_group("which snapshots are listed"), host_letter=True)
    parser.add_argument(
        "--latest",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="the newest N of each host and paths",
    )
    parser.add_argument(
        "-g",
        "--group-by",
        default="",
        metavar="WHAT",
        help="by host, paths and tags, separated by commas; --latest then counts in each group",
    )
    parser.add_argument("-c", "--compact", action="store_true", help="without paths")


def run(args: argparse.Namespace, output: Output) -> int:
    """List snapshots; returns 1 if one of them is damaged."""
    from nightsafe.repository.snapshot_groups import parse_grouping

    by = parse_grouping(args.group_by)
    with opened_repository(args, output) as repository:
        found = repository.load_snapshots()
    groups = _groups(_chosen(args, found), by, args.latest)
    for group, snapshots in groups:
        if by:
            output.line(printable(f"{group}:"))
        for snapshot in snapshots:
            output.line(_line(snapshot, compact=args.compact))
    if not groups:
        output.line("There is no such snapshot." if found.sound else "There is no snapshot yet.")
    for name in found.damaged:
        output.note(f"Snapshot {name[:8]} is damaged; run `nightsafe check`.")
    output.result(_fields(groups, found.damaged, is_grouped=bool(by)))
    return 1 if found.damaged else 0


def _chosen(args: argparse.Namespace, found: "Snapshots") -> "list[Snapshot]":
    from nightsafe.repository.find_snapshot import find_named

    snapshot_filter = find_filter(args)
    if args.snapshots:
        return [one for one in find_named(found, args.snapshots, snapshot_filter) if one.tree]
    return list(filter(snapshot_filter.matches, found.sound))


def _groups(
    snapshots: "list[Snapshot]", by: tuple[str, ...], latest: int
) -> "list[tuple[Group, list[Snapshot]]]":
    """Return each group with its snapshots, oldest first; one group if there are none."""
    from nightsafe.repository.snapshot_groups import grouped, newest_first

    if latest > 0:
        apart = grouped(newest_first(snapshots), by or ("host", "paths"))
        snapshots = [one for found in apart.values() for one in found[:latest]]
    groups = grouped(newest_first(snapshots)[::-1], by)
    return sorted(groups.items(), key=lambda one: str(one[0])) if by else list(groups.items())


def _line(snapshot: "Snapshot", *, compact: bool) -> str:
    tags = f" [{', '.join(snapshot.tags)}]" if snapshot.tags else ""
    where = "" if compact else f":{' '.join(snapshot.paths)}"
    when = f"{snapshot.short_id}  {show_time(snapshot.time)}"
    return printable(f"{when}  {snapshot.hostname}{where}{tags}{_size(snapshot)}")


def _size(snapshot: "Snapshot") -> str:
    """Format the size of the backup, if the snapshot records it, as current restic does."""
    size = json.loads(snapshot.summary).get("total_bytes_processed") if snapshot.summary else None
    return f"  {show_size(size)}" if isinstance(size, int | float) else ""


def _fields(
    groups: "list[tuple[Group, list[Snapshot]]]", damaged: list[str], *, is_grouped: bool
) -> dict[str, object]:
    listed = sorted((one for _, found in groups for one in found), key=lambda s: (s.time, s.id))
    fields: dict[str, object] = {
        "snapshots": [_snapshot_fields(snapshot) for snapshot in listed],
        "damaged": damaged,
    }
    if is_grouped:
        fields["groups"] = [
            {
                "host": group.host,
                "paths": group.paths,
                "tags": group.tags,
                "snapshots": [snapshot.id for snapshot in snapshots],
            }
            for group, snapshots in groups
        ]
    return fields


def _snapshot_fields(snapshot: "Snapshot") -> dict[str, object]:
    return {
        "id": snapshot.id,
        "time": snapshot.stamp,
        "tree_id": snapshot.tree.hex(),
        "hostname": snapshot.hostname,
        "username": snapshot.username,
        "paths": list(snapshot.paths),
        "tags": list(snapshot.tags),
        "excludes": list(snapshot.excludes),
        "parent_id": snapshot.parent,
        "original_id": snapshot.original,
        "program_version": snapshot.program_version,
        "summary": json.loads(snapshot.summary) if snapshot.summary else None,
    }
