"""`nightsafe forget`: remove snapshots, by rules or by id."""

import argparse
import time
from typing import TYPE_CHECKING, Any

from nightsafe.amounts import show_count
from nightsafe.cli.arguments import non_empty
from nightsafe.cli.commands.prune import add_prune_options, prune_and_show, prune_options
from nightsafe.cli.confirm import confirm
from nightsafe.cli.format import printable, show_time
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output
from nightsafe.cli.snapshot_options import add_filter_options, find_filter

if TYPE_CHECKING:
    from nightsafe.maintenance.prune import PruneOptions
    from nightsafe.maintenance.retention import Policy, Retention
    from nightsafe.repofile.snapshot import Snapshot
    from nightsafe.repository.repository import Repository

_PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "forget",
        run,
        help="remove snapshots by rules or by id; the data that only they needed stays until a "
        "prune. Rules are applied to each group of snapshots; whatever a rule wants is kept",
        json='{"event": "forget", "dry_run", "groups": [{"host", "paths", "tags", "keep": [{"id", '
        '"time", "reasons"}], "remove": [{"id", "time"}]}], "removed"}, and with --prune what '
        "prune prints",
    )
    parser.add_argument("snapshots", nargs="*", metavar="SNAPSHOT", help="ids to forget")
    _add_rules(parser.add_argument_group("rules (N is a number or unlimited)"))
    _add_filters(parser.add_argument_group("which snapshots are looked at"))
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="tell what would be done, and do nothing"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before removing")
    parser.add_argument("-c", "--compact", action="store_true", help="without paths and reasons")
    parser.add_argument("--prune", action="store_true", help="prune afterwards")
    add_prune_options(parser)
    parser.set_defaults(allow_empty=True)  # forgetting the last snapshot was confirmed


def _add_rules(rules: "argparse._ArgumentGroup") -> None:
    rules.add_argument(
        "-l", "--keep-last", type=_number, default=0, metavar="N", help="keep the newest N"
    )
    for name in _PERIODS:
        rules.add_argument(
            f"-{name[0].upper() if name == 'hourly' else name[0]}",
            f"--keep-{name}",
            type=_number,
            default=0,
            metavar="N",
            help=f"keep the newest of each of the last N {name} periods that have one",
        )
    rules.add_argument(
        "--keep-within",
        type=non_empty,
        metavar="SPAN",
        help="keep what is at most so old, such as 1y5m7d2h",
    )
    for name in _PERIODS:
        rules.add_argument(
            f"--keep-within-{name}",
            type=non_empty,
            metavar="SPAN",
            help=f"keep {name} ones of the last SPAN",
        )
    rules.add_argument(
        "--keep-tag",
        action="append",
        default=[],
        metavar="TAGS",
        help="keep what has all these tags, separated by commas; may be repeated",
    )


def _add_filters(group: "argparse._ArgumentGroup") -> None:
    add_filter_options(group)
    group.add_argument(
        "-g",
        "--group-by",
        default="host,paths",
        metavar="WHAT",
        help="host, paths and tags, separated by commas (default host,paths); '' for one group",
    )


def _number(text: str) -> int:
    try:
        value = -1 if text == "unlimited" else int(text)
    except ValueError:
        value = -2
    if value < -1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, such as 7, and not unlimited")
    return value


def run(args: argparse.Namespace, output: Output) -> int:
    """Forget snapshots; returns 0 if done, 1 if the user declined."""
    from nightsafe.errors import UsageError
    from nightsafe.maintenance.forget import remove_snapshots

    policy, options = _policy(args), prune_options(args)
    if policy.is_empty and not args.snapshots:
        raise UsageError(
            "No rule and no snapshot is given, so nothing is forgotten; see `nightsafe forget "
            "--help`."
        )
    if args.snapshots and not policy.is_empty:
        raise UsageError("Give either rules or snapshots to forget, not both.")
    with opened_repository(args, output) as repository:
        retentions = _retentions(repository, args, policy)
        kept = [snapshot for retention in retentions for snapshot in retention.keep]
        removed = [snapshot for retention in retentions for snapshot in retention.remove]
        _show(retentions, output, is_trial=args.dry_run, compact=args.compact)
        question = f"Forget {show_count(len(removed), 'snapshot')}?"
        if removed and not args.dry_run:
            if not confirm(question, yes=args.yes, output=output):
                return 1
            count = remove_snapshots(repository, removed, keep=kept)
            output.line(f"{show_count(count, 'snapshot')} forgotten")
        output.result(_fields(retentions, removed=len(removed), is_trial=args.dry_run))
        if args.prune and removed:
            prune_and_show(repository, _prune_options_after(options, args, removed), output)
    return 0


def _prune_options_after(
    options: "PruneOptions", args: argparse.Namespace, removed: "list[Snapshot]"
) -> "PruneOptions":
    """Return options for the prune that follows, which may find no snapshot left."""
    from dataclasses import replace

    left_out = frozenset(snapshot.id for snapshot in removed)
    return replace(options, dry_run=args.dry_run, forgotten=left_out)


def _policy(args: argparse.Namespace) -> "Policy":
    from nightsafe.fs.files import as_text
    from nightsafe.maintenance.calendar_span import Span
    from nightsafe.maintenance.retention import Policy
    from nightsafe.repofile.tags import split_tags

    def span(text: str | None) -> Span:
        return Span.parse(text) if text else Span()

    rules: dict[str, Any] = {name: getattr(args, f"keep_{name}") for name in _PERIODS}
    rules |= {f"within_{name}": span(getattr(args, f"keep_within_{name}")) for name in _PERIODS}
    return Policy(
        last=args.keep_last,
        within=span(args.keep_within),
        tags=tuple(map(split_tags, map(as_text, args.keep_tag))),
        **rules,
    )


def _retentions(
    repository: "Repository", args: argparse.Namespace, policy: "Policy"
) -> "list[Retention]":
    from nightsafe.errors import RefusedError
    from nightsafe.maintenance.retention import Retention, apply_policy
    from nightsafe.repofile.snapshot import LATEST
    from nightsafe.repository.find_snapshot import find_named
    from nightsafe.repository.snapshot_groups import Group, parse_grouping

    by, snapshot_filter = parse_grouping(args.group_by), find_filter(args)
    found = repository.load_snapshots()
    if found.doubt and (not args.snapshots or LATEST in args.snapshots):
        raise RefusedError(
            f"Nothing was forgotten, for not all snapshots are known: {found.doubt}. Run "
            "`nightsafe check`; a snapshot that cannot be saved is forgotten by its id."
        )
    if args.snapshots:
        return [Retention(Group(), remove=find_named(found, args.snapshots, snapshot_filter))]
    considered = [snapshot for snapshot in found.sound if snapshot_filter.matches(snapshot)]
    return apply_policy(considered, policy, by=by, now=time.time_ns())


def _show(retentions: "list[Retention]", output: Output, *, is_trial: bool, compact: bool) -> None:
    for retention in retentions:
        for snapshot in retention.keep:
            reasons = ", ".join(retention.reasons[snapshot.id])
            output.line(_line("keep  ", snapshot, reasons, compact=compact))
        for snapshot in retention.remove:
            output.line(_line("forget", snapshot, "", compact=compact))
    kept = sum(len(retention.keep) for retention in retentions)
    removed = sum(len(retention.remove) for retention in retentions)
    if is_trial:
        would = f"{show_count(removed, 'snapshot')} would be forgotten"
        output.line(f"{would}, {kept} kept; nothing was changed")


def _line(word: str, snapshot: "Snapshot", reasons: str, *, compact: bool) -> str:
    if not snapshot.tree:
        return f"{word} {snapshot.short_id}  (cannot be read)"
    text = f"{word} {snapshot.short_id}  {show_time(snapshot.time)}  {snapshot.hostname}"
    if not compact:
        text += f":{' '.join(snapshot.paths)}" + (f"  ({reasons})" if reasons else "")
    return printable(text)


def _fields(retentions: "list[Retention]", *, removed: int, is_trial: bool) -> dict[str, object]:
    groups = [
        {
            "host": retention.group.host,
            "paths": retention.group.paths,
            "tags": retention.group.tags,
            "keep": [
                {"id": s.id, "time": s.stamp, "reasons": retention.reasons[s.id]}
                for s in retention.keep
            ],
            "remove": [{"id": s.id, "time": s.stamp} for s in retention.remove],
        }
        for retention in retentions
    ]
    return {"event": "forget", "dry_run": is_trial, "groups": groups, "removed": removed}
