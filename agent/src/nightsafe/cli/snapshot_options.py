"""The options that select snapshots."""

import argparse
from typing import TYPE_CHECKING

from nightsafe.cli.arguments import filled

if TYPE_CHECKING:
    from nightsafe.cli.output import Output
    from nightsafe.repofile.snapshot import Snapshot
    from nightsafe.repository.repository import Repository
    from nightsafe.repository.snapshot_groups import Filter


def add_filter_options(chosen: "argparse._ActionsContainer", *, host_letter: bool = False) -> None:
    """--host, --tag and --path; with `host_letter` also -H, where that means nothing else."""
    chosen.add_argument(
        *(["-H"] if host_letter else []),
        "--host",
        action="append",
        default=[],
        help="of this host only; several: of any of them",
    )
    chosen.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="TAGS",
        help="with all these tags, separated by commas, or '' for none at all; several: any list",
    )
    chosen.add_argument(
        "--path",
        type=filled,
        action="append",
        default=[],
        help="of this path only; several: of all of them",
    )


def find_filter(args: argparse.Namespace) -> "Filter":
    """What the options say; an empty host alone stands for all."""
    from nightsafe.fs.files import as_text
    from nightsafe.repofile.tags import split_tags
    from nightsafe.repository.snapshot_groups import Filter

    hosts = () if args.host == [""] else tuple(map(as_text, args.host))
    tags = tuple(map(split_tags, map(as_text, args.tag)))
    return Filter(hosts, tags, tuple(map(as_text, args.path)))


def find_one(
    repository: "Repository", wanted: str, output: "Output", chosen: "Filter | None" = None
) -> "Snapshot":
    """The snapshot that is meant; what cannot be read, and might have been the latest, is said."""
    from nightsafe.repository.find_snapshot import find
    from nightsafe.repository.snapshot_groups import Filter

    found = find(repository, wanted, chosen or Filter())
    for name in found.unread:
        output.note(
            f"Snapshot {name[:8]} cannot be read, and may be later than the one that is taken, "
            f"{found.snapshot.short_id}; run `nightsafe check`."
        )
    return found.snapshot
