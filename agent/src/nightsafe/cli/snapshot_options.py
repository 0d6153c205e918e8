"""The options that select snapshots."""

import argparse
from typing import TYPE_CHECKING

from nightsafe.cli.arguments import non_empty

if TYPE_CHECKING:
    from nightsafe.cli.output import Output
    from nightsafe.repofile.snapshot import Snapshot
    from nightsafe.repository.repository import Repository
    from nightsafe.repository.snapshot_groups import SnapshotFilter


def add_filter_options(group: "argparse._ActionsContainer", *, host_letter: bool = False) -> None:
    """Add --host, --tag and --path; with `host_letter` also -H, where that is free."""
    group.add_argument(
        *(["-H"] if host_letter else []),
        "--host",
        action="append",
        default=[],
        help="of this host only; several: of any of them",
    )
    group.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="TAGS",
        help="with all these tags, separated by commas, or '' for none at all; several: any list",
    )
    group.add_argument(
        "--path",
        type=non_empty,
        action="append",
        default=[],
        help="of this path only; several: of all of them",
    )


def find_filter(args: argparse.Namespace) -> "SnapshotFilter":
    """Return the filter given by the options; a single empty host matches all."""
    from nightsafe.fs.files import as_text
    from nightsafe.repofile.tags import split_tags
    from nightsafe.repository.snapshot_groups import SnapshotFilter

    hosts = () if args.host == [""] else tuple(map(as_text, args.host))
    tags = tuple(map(split_tags, map(as_text, args.tag)))
    return SnapshotFilter(hosts, tags, tuple(map(as_text, args.path)))


def find_one(
    repository: "Repository",
    wanted: str,
    output: "Output",
    snapshot_filter: "SnapshotFilter | None" = None,
) -> "Snapshot":
    """Find a snapshot; warns of unreadable ones that might have been the latest."""
    from nightsafe.repository.find_snapshot import find
    from nightsafe.repository.snapshot_groups import SnapshotFilter

    found = find(repository, wanted, snapshot_filter or SnapshotFilter())
    for name in found.unread:
        output.note(
            f"Snapshot {name[:8]} cannot be read, and may be later than the one that is taken, "
            f"{found.snapshot.short_id}; run `nightsafe check`."
        )
    return found.snapshot
